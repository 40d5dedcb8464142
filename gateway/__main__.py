"""`python -m gateway [--settings FILE]`: serves until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

import structlog
import uvloop

from gateway.service import serving
from pointsman.runtime.errors import Unavailable
from pointsman.runtime.lifecycle import until_stopped
from pointsman.runtime.settings import GatewaySettings
from pointsman.runtime.settings_file import SettingsError, load_settings
from pointsman.runtime.telemetry import configure_logging


async def serve(settings: GatewaySettings) -> None:
    """Serves until the process is told to stop. Raises what `serving` raises, and what ends one of its tasks."""
    log = structlog.get_logger()
    async with serving(settings) as gateway:
        log.info("gateway serves", rest=f"http://{settings.host}:{gateway.rest_port}/v1", grpc=f"{settings.host}:{gateway.grpc_port}")
        told = asyncio.get_running_loop().create_task(until_stopped())
        ended, _ = await asyncio.wait({told, *gateway.tasks}, return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            log.info("gateway stops", cause=task.result() or "a task ended", drain_s=settings.drain_s)


def main() -> int:
    """The exit code: 0 after a graceful stop, 1 where it can't serve, 2 for wrong settings, 130 for a Ctrl-C that can't wait."""
    parser = argparse.ArgumentParser(prog="python -m gateway", description="Pointsman's edge: gRPC and OpenAI-compatible REST.")
    parser.add_argument("--settings", type=Path, metavar="FILE", help="the settings file (YAML)")
    try:
        settings = load_settings(parser.parse_args().settings)
        configure_logging("gateway", settings.log)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(settings.gateway))
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201 (a sentence for whoever started it, not an event)
        return 2
    except Unavailable as error:
        print(f"gateway: {error.message}", file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
