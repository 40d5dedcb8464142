"""`pointsman doctor`, the command. What it needs is imported inside it, so that `--help` stays quick."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pointsman.cli.exits import FAILED


def doctor(
    settings: Annotated[Path | None, typer.Option(help="The settings file; else the one that POINTSMAN_SETTINGS names.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output, and nothing else.")] = False,
) -> None:
    """Look for what stands in the way, and say what to do about each: packages, settings, ports, keys, backends, checkpoints, services.

    Nothing is started or changed. Exit code 1 where something is a problem.
    """
    from pointsman.cli.doctor.examining import examine, show, show_json
    from pointsman.cli.doctor.finding import State
    from pointsman.cli.progress import waiting

    with waiting("looking"):
        found = examine(settings)
    if json:
        show_json(found)
    else:
        show(found)
    if any(each.state is State.PROBLEM for each in found):
        raise typer.Exit(FAILED)
