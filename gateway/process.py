"""The gateway as a process: it serves until it is told to stop."""

from __future__ import annotations

import asyncio

import structlog

from gateway.service import serving
from pointsman.runtime.lifecycle import settle, until_stopped
from pointsman.runtime.reloading import Change, SettingsSource, follow, process_keys
from pointsman.runtime.settings import Settings


async def serve(settings: Settings, source: SettingsSource) -> None:
    """Serves until the process is told to stop. SIGHUP and a changed file have limits taken over.

    Raises what `serving` raises, and what ends one of its tasks.
    """
    log, own = structlog.get_logger(), settings.gateway
    async with serving(own) as gateway:
        scheme = "https" if own.tls else "http"
        addresses = {"rest": f"{scheme}://{own.host}:{gateway.rest_port}/v1", "grpc": f"{own.host}:{gateway.grpc_port}"}
        log.info("gateway serves", **addresses, own_port=gateway.own_port)
        settle()

        async def reload(file: Settings) -> Change:
            change = await gateway.reload(file)
            return Change(change.in_force, [*change.need_restart, *process_keys(settings, file)])

        following = asyncio.get_running_loop().create_task(follow(source, reload))
        told = asyncio.get_running_loop().create_task(until_stopped())
        ended, _ = await asyncio.wait({told, *gateway.tasks}, return_when=asyncio.FIRST_COMPLETED)
        following.cancel()
        for task in ended:
            log.info("gateway stops", cause=task.result() or "a task ended", drain_s=own.drain_s)
