"""`python -m gateway [--settings FILE]`: serves until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import sys

import structlog

from gateway.service import serving
from pointsman.runtime.lifecycle import settle, until_stopped
from pointsman.runtime.process import main, on_uvloop
from pointsman.runtime.reloading import SettingsSource, follow
from pointsman.runtime.settings import Settings


async def serve(settings: Settings, source: SettingsSource) -> None:
    """Serves until the process is told to stop. SIGHUP and a changed file have limits taken over.

    Raises what `serving` raises, and what ends one of its tasks.
    """
    log, own = structlog.get_logger(), settings.gateway
    async with serving(own) as gateway:
        scheme = "https" if own.tls else "http"
        log.info("gateway serves", rest=f"{scheme}://{own.host}:{gateway.rest_port}/v1", grpc=f"{own.host}:{gateway.grpc_port}")
        settle()
        following = asyncio.get_running_loop().create_task(follow(source, gateway.reload))
        told = asyncio.get_running_loop().create_task(until_stopped())
        ended, _ = await asyncio.wait({told, *gateway.tasks}, return_when=asyncio.FIRST_COMPLETED)
        following.cancel()
        for task in ended:
            log.info("gateway stops", cause=task.result() or "a task ended", drain_s=own.drain_s)


if __name__ == "__main__":
    sys.exit(main("gateway", on_uvloop(serve)))
