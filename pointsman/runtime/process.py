"""How a service process begins and ends: arguments, settings, logs, exit codes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Final

from pointsman.runtime.errors import PointsmanError
from pointsman.runtime.settings import Settings, with_local_llms
from pointsman.runtime.settings_file import SettingsError, load_settings
from pointsman.runtime.telemetry import configure_logging

EXIT_FAILED: Final = 1
EXIT_SETTINGS: Final = 2
EXIT_INTERRUPTED: Final = 130
Reload = Callable[[], Settings]
"""The settings as their file has them now. Raises `SettingsError`."""


def main(service: str, run: Callable[[Settings, Reload], int], arguments: Sequence[str] | None = None) -> int:
    """Runs a service to its end and gives the process's exit code.

    0 after a graceful stop, 1 where it can't serve, 2 for wrong settings, 130 for a Ctrl-C that can't wait; what is wrong is one
    sentence on standard error.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {service}")
    parser.add_argument("--settings", type=Path, metavar="FILE", help="the settings file (YAML)")
    options = parser.parse_args(arguments)

    def load() -> Settings:
        return with_local_llms(load_settings(options.settings))

    try:
        settings = load()
        configure_logging(service, settings.log)
        return run(settings, load)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_SETTINGS
    except PointsmanError as error:
        sys.stderr.write(f"{service}: {error.message}\n")
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def on_uvloop(serve: Callable[[Settings], Coroutine[Any, Any, None]]) -> Callable[[Settings, Reload], int]:
    """`serve` as `main` wants it: on one uvloop event loop, 0 when it returns."""

    def run(settings: Settings, _: Reload) -> int:
        import uvloop  # what needs no event loop doesn't need it

        uvloop.run(serve(settings))
        return 0

    return run
