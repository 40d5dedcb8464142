"""`python -m tests.compose [--out FILE]`: builds and checks the images, brings the stack up, asks it, kills each container, takes it down.

Exit code 0 where everything was as it must be; else the exception says what wasn't, and the stack is taken down all the same.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import yaml

from tests.compose import images, stack, table
from tests.compose.callers import by_grpc, by_openai
from tests.compose.engine import ROOT
from tests.compose.observed import by_prometheus
from tests.compose.stand_ins import stand_in
from tests.support.faults.measure import Row, load, under_load

_MODELS = [f"router-{strategy}-0.5" for strategy in ("mf", "sw_ranking", "bert", "causal_llm", "random")]
_CALLERS = ["--callers", "10", "--period", "2.5", "--any-text"]
_HEALTHY_S = 150


def main() -> None:
    """Prints each line as it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="where the table goes, beside standard output")
    options = parser.parse_args()
    lines = []
    for line in report():
        lines.append(line)
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    if options.out:
        options.out.write_text("\n".join(lines) + "\n")


def report() -> Iterator[str]:
    """The whole run, as Markdown."""
    yield from table.heading()
    made = stand_in([_image("redis"), _image("prometheus")])
    if made:
        yield f"Stand-ins of Debian's packages, since the images can't be pulled here: {', '.join(made)}.\n"
    begun = time.monotonic()
    stack.build()
    yield f"Images built in {time.monotonic() - begun:.0f} s.\n"
    yield from images.report()
    begun = time.monotonic()
    try:
        stack.up()
        stack.wait_healthy(_HEALTHY_S)
        yield "\n## Up\n"
        names = sorted(each.name for each in stack.containers() if each.running)
        yield f"Healthy {time.monotonic() - begun:.0f} s after `up`: {', '.join(names)}.\n"
        yield "From outside, with the OpenAI client (tier, reason, characters of the answer) and by gRPC:\n"
        yield from (f"- {line}" for line in [*by_openai(_MODELS), *by_grpc(_MODELS)])
        rows = [asyncio.run(_killed(each.name)) for each in stack.containers() if each.running]
        yield from table.killed(rows)
        yield f"\n{by_prometheus()}"
    except BaseException:
        for each in stack.containers():
            sys.stderr.write(f"--- {each.name}\n{stack.logs(each.name)}\n")
        raise
    finally:
        left = stack.down()
    yield f"\n## Down\n\nLeft of containers, networks and volumes: {', '.join(left) or 'nothing'}."
    if left:
        raise SystemExit("something is left")


async def _killed(name: str) -> tuple[str, Row, float]:
    healthy = [0.0]

    @contextlib.asynccontextmanager
    async def dead() -> AsyncIterator[None]:
        begun = time.monotonic()
        await asyncio.to_thread(stack.kill, name)
        await asyncio.to_thread(stack.wait_healthy, _HEALTHY_S)
        healthy[0] = time.monotonic() - begun
        yield

    running = load(stack.REST, stack.GRPC, deadline_s=10, further=_CALLERS)
    row = await under_load(name, dead(), dict, running, lasts_s=8, heals_itself=True, give_up_s=120, enough=10, well_s=6)
    return name, row, healthy[0]


def _image(service: str) -> str:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return str(services[service]["image"])


if __name__ == "__main__":
    main()
