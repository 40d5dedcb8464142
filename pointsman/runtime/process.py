"""How a service process begins and ends: arguments, settings, logs, exit codes."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Final

from pointsman.runtime.errors import PointsmanError
from pointsman.runtime.output import discard_unwritable
from pointsman.runtime.reloading import SettingsSource
from pointsman.runtime.scheduling import schedule
from pointsman.runtime.settings import Settings
from pointsman.runtime.settings_file import SettingsError
from pointsman.runtime.telemetry import configure_logging
from pointsman.runtime.tracing import configure_tracing

EXIT_FAILED: Final = 1
EXIT_SETTINGS: Final = 2
EXIT_INTERRUPTED: Final = 130
Reload = Callable[[], Settings]
"""The settings as their file has them now. Raises `SettingsError`."""


def main(service: str, run: Callable[[Settings, SettingsSource], int], arguments: Sequence[str] | None = None) -> int:
    """Runs a service to its end and gives the process's exit code.

    0 after a graceful stop, 1 where it can't serve, 2 for wrong settings, 130 for a Ctrl-C that can't wait; what is wrong is one
    sentence on standard error.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {service}")
    parser.add_argument("--settings", type=Path, metavar="FILE", help="the settings file (YAML)")
    options = parser.parse_args(arguments)

    source = SettingsSource(options.settings)
    try:
        settings = source()
        configure_logging(service, settings.log)
        configure_tracing(service, settings.tracing)
        schedule(settings.scheduling)
        return run(settings, source)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_SETTINGS
    except PointsmanError as error:
        sys.stderr.write(f"{service}: {error.message}\n")
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    finally:
        discard_unwritable()


def on_uvloop(
    serve: Callable[[Settings, SettingsSource], Coroutine[Any, Any, None]],
) -> Callable[[Settings, SettingsSource], int]:
    """`serve` as `main` wants it: on one uvloop event loop, 0 when it returns."""

    def run(settings: Settings, source: SettingsSource) -> int:
        import uvloop  # what needs no event loop doesn't need it

        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until `serve` listens for it
        uvloop.run(serve(settings, source))
        return 0

    return run
