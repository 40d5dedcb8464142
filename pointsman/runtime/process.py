"""How a service process begins and ends: arguments, settings, logs, exit codes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import uvloop

from pointsman.runtime.errors import PointsmanError
from pointsman.runtime.settings import Settings, with_local_llms
from pointsman.runtime.settings_file import SettingsError, load_settings
from pointsman.runtime.telemetry import configure_logging

EXIT_FAILED, EXIT_SETTINGS = 1, 2


def main(service: str, run: Callable[[Settings], Awaitable[None]], arguments: Sequence[str] | None = None) -> int:
    """Runs a service to its end and gives its exit code: 0 stopped as told, 1 couldn't run, 2 settings."""
    parser = argparse.ArgumentParser(prog=f"python -m {service}")
    parser.add_argument("--settings", type=Path, help="the settings file (YAML)")
    options = parser.parse_args(arguments)

    async def body(settings: Settings) -> None:
        await run(settings)

    try:
        settings = with_local_llms(load_settings(options.settings))
        configure_logging(service, settings.log)
        uvloop.run(body(settings))
    except SettingsError as error:
        print(f"settings: {error}", file=sys.stderr)  # noqa: T201
        return EXIT_SETTINGS
    except PointsmanError as error:
        print(f"{service}: {error.message}", file=sys.stderr)  # noqa: T201
        return EXIT_FAILED
    return 0
