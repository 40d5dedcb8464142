"""Runs all checks side by side, and shows what they found."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from rich.table import Table
from rich.text import Text

from pointsman import __version__
from pointsman.cli.doctor.backends import backend
from pointsman.cli.doctor.certificates import certificates
from pointsman.cli.doctor.checkpoints import checkpoints
from pointsman.cli.doctor.finding import Finding, State, ok, problem, skipped, warning
from pointsman.cli.doctor.installation import installation
from pointsman.cli.doctor.machine import machine
from pointsman.cli.doctor.redis import redis
from pointsman.cli.doctor.services import controllers, gateway, local_llms, port_findings, strategies
from pointsman.cli.output import new_console
from pointsman.cli.suspicions import missing, suspicions
from pointsman.runtime.settings import Settings
from pointsman.runtime.settings_file import SettingsError, load_settings, settings_path

_LONGEST_S: Final = 30.0
_STYLES: Final = {State.OK: "green", State.WARNING: "yellow", State.PROBLEM: "bold red", State.SKIPPED: "dim"}


def examine(path: Path | None) -> list[Finding]:
    """What all checks found, in the order of the checks."""
    file = settings_path(path)
    try:
        settings = load_settings(file)
    except SettingsError as error:
        wrong = [problem("settings", line, "correct it; pointsman settings schema says what there is") for line in str(error).splitlines()]
        return [*installation(), *wrong, skipped("all else", "it depends on the settings")]
    return asyncio.run(_examined(settings, file))


async def _examined(settings: Settings, file: Path | None) -> list[Finding]:
    found = await asyncio.gather(*(_safely(name, check) for name, check in _checks(settings, file)))
    return [finding for each in found for finding in each]


def _checks(settings: Settings, file: Path | None) -> Iterator[tuple[str, Callable[[], Awaitable[Sequence[Finding]]]]]:
    yield "installation", lambda: asyncio.to_thread(installation)
    yield "settings", lambda: asyncio.to_thread(_settings, settings, file)
    yield "machine", lambda: asyncio.to_thread(machine, settings)
    yield "ports", lambda: asyncio.to_thread(port_findings, settings)
    yield "certificates", lambda: asyncio.to_thread(certificates, settings)
    yield "checkpoints", lambda: asyncio.to_thread(checkpoints, settings)
    yield "gateway", lambda: gateway(settings)
    yield "controllers", lambda: controllers(settings)
    yield "strategies", lambda: strategies(settings)
    yield "backends", (lambda: local_llms(settings)) if settings.uses_local_llms else (lambda: _backends(settings))
    yield "redis", lambda: redis(settings)


async def _safely(name: str, check: Callable[[], Awaitable[Sequence[Finding]]]) -> Sequence[Finding]:
    """What it found; a check that fails by itself doesn't take the others with it."""
    try:
        async with asyncio.timeout(_LONGEST_S):
            return await check()
    except TimeoutError:
        return [problem(name, f"it couldn't be looked at in {_LONGEST_S:g} s", "try again")]
    except Exception as error:  # noqa: BLE001 - its words might hold a secret, and so are left out
        return [problem(name, f"the check itself failed: {type(error).__name__}", "report it, please")]


async def _backends(settings: Settings) -> list[Finding]:
    return list(await asyncio.gather(*(asyncio.to_thread(backend, name, each) for name, each in settings.backends.items())))


def _settings(settings: Settings, file: Path | None) -> list[Finding]:
    found = [warning("settings", each, "pointsman settings show says what is in force") for each in suspicions(settings, file)]
    # What backends lack, each backend's own check says.
    lacking = [each for each in missing(settings) if not each.startswith("backends.")]
    found += [problem("settings", each, "make it, or correct the key; a service that runs elsewhere needs it there") for each in lacking]
    return found or [ok("settings", f"{file or 'the defaults'}: valid")]


def show_json(found: Sequence[Finding]) -> None:
    """One object: how many of each state, and every finding."""
    counts = {f"{state}s" if state in (State.PROBLEM, State.WARNING) else str(state): _count(found, state) for state in State}
    checks = [{"check": each.check, "state": str(each.state), "said": each.said, "advice": each.advice} for each in found]
    sys.stdout.write(json.dumps({"version": __version__, **counts, "checks": checks}, ensure_ascii=False) + "\n")


def show(found: Sequence[Finding]) -> None:
    """A line for each finding, below it what to do, and in the end how many there are."""
    table = Table.grid(padding=(0, 2))
    for column in ("state", "check"):
        table.add_column(column, no_wrap=True)
    table.add_column("said", overflow="fold")
    for each in found:
        table.add_row(Text(each.state, _STYLES[each.state]), Text(each.check), Text(each.said))
        if each.advice and each.state is not State.OK:
            table.add_row("", "", Text(f"→ {each.advice}", "dim"))
    console = new_console()
    console.print(table)
    console.print(f"problems: {_count(found, State.PROBLEM)}, warnings: {_count(found, State.WARNING)}", highlight=False)


def _count(found: Sequence[Finding], state: State) -> int:
    return sum(each.state is state for each in found)
