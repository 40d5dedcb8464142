"""How a service process settles, waits, and is told to stop."""

from __future__ import annotations

import asyncio
import gc
import signal
from typing import Final

_COLLECTED_AFTER: Final = (2_000, 5, 3)
"""Objects that are made before the youngest are looked through for garbage, and how often these and then their elders are before
those that are older. By default it is 700, 10 and 10, and a loaded service spends half of its time on it. Much rarer is no better:
requests leave garbage in circles (gRPC's calls, tracebacks). Looking through 20,000 objects holds up every request for 6 to 11 ms, through
2,000 for less than one, and ten times as many looks cost about as much together (docs/performance.md). And the part of it that has grown
old stays until the oldest are looked through: with 20,000, 5 and 10 that hadn't happened after a quarter of an hour of 40 requests a
second, and the service had grown all the while."""


def settle(*, hoards: bool = False) -> None:
    """What lives as long as the process is never garbage: collections needn't look at it. Once all of that has been built.

    `hoards`: nearly all that comes after is kept as well, and looked through more rarely: a load generator's samples.
    """
    gc.collect()
    gc.freeze()
    # The oldest are looked through once a fourth has been added to them since the last time: to what isn't frozen, from now on.
    gc.collect()
    young, *older = _COLLECTED_AFTER
    gc.set_threshold(10 * young if hoards else young, *older)


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
