"""The `pointsman` command. Its packages are the extra `cli`; without them it says so and ends."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Final

_EXTRA: Final = ("typer", "rich", "psutil", "pydantic_settings", "yaml")


def main() -> int:
    """Runs the command with the process's arguments. The exit code: see `pointsman.cli.exits`."""
    if not all(find_spec(package) for package in _EXTRA):
        sys.stderr.write("the command needs its extra: pip install '.[cli]', in a checkout of Pointsman\n")
        return 1
    # Here, and not above: the extra may be missing.
    from pointsman.cli.app import run

    return run()
