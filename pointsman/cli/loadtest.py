"""`pointsman loadtest`: presses on a running service from this process, and says what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from pointsman.cli.exits import FAILED, UNREACHABLE, USAGE, CommandFailed

if TYPE_CHECKING:
    from pointsman.loadtest.measuring import Measured

_REST: Final = "http://127.0.0.1:6060/v1"
_GRPC: Final = "127.0.0.1:50051"


class Kind(StrEnum):
    """What is called."""

    JSON = "json"
    SSE = "sse"
    ROUTE = "route"
    CHAT = "chat"
    STREAM = "stream"


def loadtest(
    kind: Annotated[Kind, typer.Argument(help="json or sse over REST; route, chat or stream over gRPC.")] = Kind.JSON,
    concurrency: Annotated[int, typer.Option(help="Callers, each of whom waits for their answer.", min=1)] = 16,
    rate: Annotated[float | None, typer.Option(help="Arrivals per second (Poisson) in the place of waiting callers.", min=0.001)] = None,
    seconds: Annotated[float, typer.Option(help="How long is measured.", min=0.1)] = 10.0,
    warmup: Annotated[float, typer.Option(help="Seconds of the same load before that.", min=0)] = 2.0,
    model: Annotated[str, typer.Option(help="RouteLLM's model string.")] = "router-random-0.5",
    address: Annotated[
        str | None, typer.Option(help=f"A base URL up to /v1 ({_REST}), or the gateway's gRPC address ({_GRPC}).", show_default=False)
    ] = None,
    prompts: Annotated[Path | None, typer.Option(help="A file of prompts, one per line, asked over and over; else made up ones.")] = None,
    api_key_env: Annotated[str | None, typer.Option(help="The environment variable that holds the key, over REST.")] = None,
    pid: Annotated[list[str] | None, typer.Option(help="NAME=PID of a service, whose process tree's CPU and memory are told.")] = None,
    timeout: Annotated[float, typer.Option(help="The deadline of each call, in seconds.", min=0.001)] = 60.0,
    seed: Annotated[int, typer.Option(help="The seed of the arrivals.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output, and nothing else.")] = False,
) -> None:
    """Press on a running service: calls per second, percentiles of latency, errors, CPU per call.

    With --rate a call's latency counts from when it was due, so that a stall isn't hidden by the calls that it held up.
    """
    import asyncio

    from pointsman.cli.output import new_console
    from pointsman.cli.progress import waiting
    from pointsman.loadtest.driving import Load
    from pointsman.loadtest.measuring import Target, measure
    from pointsman.runtime.lifecycle import settle

    over_rest = kind in (Kind.JSON, Kind.SSE)
    headers = {"authorization": f"Bearer {_key(api_key_env)}"} if api_key_env else {}
    target = Target(kind, address or (_REST if over_rest else _GRPC), model, timeout, headers, _pids(pid or []))
    load = Load(seconds, warmup, concurrency, rate, seed)
    settle(hoards=True)  # a collection that looks at every sample so far delays what is due
    try:
        with waiting(f"pressing for {warmup + seconds:g} s"):
            measured = asyncio.run(measure(target, load, _prompts(prompts)))
    except ProcessLookupError as error:
        raise CommandFailed(str(error), USAGE) from None
    if json:
        typer.echo(_as_json(kind, load.rate, concurrency, measured))
    else:
        for line in told(measured):
            new_console().print(line, soft_wrap=True, highlight=False, markup=False)
    if not measured.summary.per_second:
        what = ", ".join(measured.summary.errors) or "nothing was answered in time"
        raise CommandFailed(f"No call succeeded at {target.address}: {what}.", UNREACHABLE if not measured.summary.calls else FAILED)


def told(measured: Measured) -> list[str]:
    """What came of it, a sentence each."""
    found = measured.summary
    lines = [f"{found.calls:,} calls, {found.per_second:,.1f} answered per second"]
    for name, of in (("latency", found.latency_ms), ("first byte", found.first_byte_ms), ("begun late", found.late_ms)):
        if of and (name != "begun late" or of["max"] > 0):
            lines.append(f"{name}, ms: " + ", ".join(f"{which} {value:,.2f}" for which, value in of.items()))
    for name, milliseconds in measured.cpu_ms_per_call().items():
        lines.append(f"{name}: {milliseconds:,.2f} ms of CPU per call, {measured.rss_bytes[name] / 2**20:,.0f} MiB")
    if found.errors:
        lines.append("errors: " + ", ".join(f"{count:,} × {error}" for error, count in sorted(found.errors.items())))
    return lines


def _as_json(kind: Kind, rate: float | None, concurrency: int, measured: Measured) -> str:
    import json

    load = {"rate": rate} if rate else {"concurrency": concurrency}
    return json.dumps(
        {
            "kind": str(kind),
            **load,
            **measured.summary.as_json(),
            "cpu_ms_per_call": measured.cpu_ms_per_call(),
            "rss_bytes": dict(measured.rss_bytes),
        }
    )


def _pids(named: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for each in named:
        name, _, number = each.rpartition("=")
        if not name or not number.isdecimal():
            raise typer.BadParameter(f"{each!r} isn't NAME=PID", param_hint="--pid")
        found[name] = int(number)
    return found


def _key(variable: str) -> str | None:
    from pointsman.runtime.settings_file import SettingsError, read_secret

    try:
        return read_secret(variable, None)
    except SettingsError as error:
        raise CommandFailed(str(error), USAGE) from None


def _prompts(path: Path | None) -> Iterator[str]:
    from pointsman.loadtest.prompts import from_file, made

    if path is None:
        return made()
    try:
        return from_file(path)
    except OSError as error:
        raise CommandFailed(f"{path}: can't be read: {error.strerror}", USAGE) from None
    except UnicodeDecodeError:
        raise CommandFailed(f"{path}: not UTF-8; save it as UTF-8", USAGE) from None
    except ValueError as error:
        raise CommandFailed(str(error), USAGE) from None
