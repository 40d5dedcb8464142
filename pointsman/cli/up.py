"""`pointsman up`: everything on this machine, from one command, until Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from pointsman.cli.announcement import addresses, announcement
from pointsman.cli.children import ChildSpec
from pointsman.cli.exits import FAILED, USAGE, CommandFailed
from pointsman.cli.ports import PortUse, contradictions, is_ours, ports, taken
from pointsman.cli.running import run
from pointsman.cli.scale import Scale, unscalable
from pointsman.cli.services import NoCheckout, checkout_root, child_specs
from pointsman.cli.views import JsonView, LiveView, PlainView
from pointsman.runtime.settings import Settings
from pointsman.runtime.settings_file import SettingsError, load_settings, settings_path


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to run, checked."""

    settings: Settings
    scale: Scale
    specs: Sequence[ChildSpec]
    root: Path


def up(path: Path | None, scale: Scale, *, json: bool = False) -> int:
    """Starts all, watches until a signal, stops all. Returns the exit code. Raises `CommandFailed`."""
    plan = _plan(path, scale)
    logs = _logs(plan.root)
    console = Console()
    live = LiveView(console) if console.is_terminal else PlainView()
    view = JsonView(addresses(plan.settings)) if json else live
    view.said(f"logs: {logs}")
    if sys.stdin is None:
        # Closed: its number would go to the next file that is opened.
        os.open(os.devnull, os.O_RDONLY)
    return asyncio.run(
        run(
            plan.specs,
            cwd=plan.root,
            logs=logs,
            view=view,
            announcement=lambda took_s: announcement(plan.settings, took_s, plan.scale),
        )
    )


def _logs(root: Path) -> Path:
    # Another one may have started in the same second.
    logs = root / "runs" / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    try:
        logs.mkdir(parents=True)
    except OSError as error:
        raise CommandFailed(f"the folder for the logs, {logs}, can't be made: {error.strerror}", FAILED) from None
    return logs


def _held(used: Sequence[PortUse]) -> list[str]:
    """What is said of ports that can't be bound: Pointsman's own in one sentence, since other ports are hardly what is wanted then."""
    held = [(use, said[0]) for use in used if (said := taken([use]))]
    ours = [use for use, _ in held if is_ours(use)]
    running = (
        f"Pointsman runs on this machine already, on ports {', '.join(str(use.port) for use in ours)}: stop it first (Ctrl-C where "
        f"pointsman up or make run runs), or give this one other ports ({', '.join(use.key for use in ours)})"
    )
    return [*([running] if ours else []), *(said for use, said in held if use not in ours)]


def _plan(path: Path | None, scale: Scale) -> Plan:
    try:
        file, root = settings_path(path), checkout_root()
        settings = load_settings(file)
        specs = child_specs(settings, file.resolve() if file else None, scale)
        wrong = [*contradictions(settings, scale), *unscalable(settings, scale, root)]
    except SettingsError as error:
        raise CommandFailed(str(error), USAGE) from None
    except NoCheckout as error:
        raise CommandFailed(str(error), FAILED) from None
    if wrong:
        raise CommandFailed("\n".join(wrong), USAGE)
    if held := _held(ports(settings, scale)):
        raise CommandFailed("\n".join(held), FAILED)
    return Plan(settings, scale, specs, root)
