"""What it costs callers that one of two gateways which share their ports is stopped, or killed.

    python -m benchmarks.stopping [--signal SIGTERM] [--runs 5]

Callers connect anew for each request (GET /livez) all the while; what isn't answered is counted by how it ended.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import tempfile
from asyncio.subprocess import DEVNULL, Process, create_subprocess_exec
from collections import Counter
from pathlib import Path
from typing import Any, Final

from tests.support.livez import livez

_CALLERS: Final = 16
_BESIDE_S: Final = 1.0  # of load before the signal, and after the gateway has ended
_FIRST_PORT: Final = 27_950


async def _gateway(folder: Path, number: int) -> Process:
    """One whose own port answers; it has no controller, which /livez needs none of."""
    own: dict[str, Any] = {"rest_port": _FIRST_PORT, "grpc_port": _FIRST_PORT + 10, "own_port": _FIRST_PORT + number, "shared_ports": True}
    file = folder / f"{number}.json"
    file.write_text(json.dumps({"gateway": {**own, "controllers": ["127.0.0.1:1"]}, "log": {"level": "error"}}))
    process = await create_subprocess_exec(sys.executable, "-m", "gateway", "--settings", str(file), stdin=DEVNULL, stderr=DEVNULL)
    while await livez(_FIRST_PORT + number) != "200":  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.1)
    return process


async def _run(number: signal.Signals) -> Counter[str]:
    outcomes, over = Counter[str](), asyncio.Event()

    async def caller() -> None:
        while not over.is_set():
            outcomes[await livez(_FIRST_PORT)] += 1

    with tempfile.TemporaryDirectory() as folder:
        gateways = [await _gateway(Path(folder), each) for each in (1, 2)]
        calling = [asyncio.create_task(caller()) for _ in range(_CALLERS)]
        await asyncio.sleep(_BESIDE_S)
        gateways[0].send_signal(number)
        await gateways[0].wait()
        await asyncio.sleep(_BESIDE_S)
        over.set()
        await asyncio.gather(*calling)
        gateways[1].terminate()
        await gateways[1].wait()
    return outcomes


def main() -> None:
    """A line per run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--signal", default="SIGTERM", choices=["SIGTERM", "SIGKILL"])
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    for _ in range(options.runs):
        outcomes = asyncio.run(_run(signal.Signals[options.signal]))
        print(f"{options.signal}: {outcomes.pop('200'):,} answered", *(f"{count} × {how}" for how, count in outcomes.items()), sep=", ")


if __name__ == "__main__":
    main()
