"""How a service process waits, and how it is told to stop."""

from __future__ import annotations

import asyncio
import signal


async def until_stopped() -> str:
    """Returns the signal's name on the first SIGTERM or SIGINT; from then on a second one kills as usual."""
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[str] = loop.create_future()

    def stop(number: signal.Signals) -> None:
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(each)
        if not stopped.done():
            stopped.set_result(number.name)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)
    return await stopped
