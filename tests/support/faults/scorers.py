"""Stand-in scorers as a process: `python -m tests.support.faults.scorers PORT`. mf says 0.4 to everything, after 20 ms."""

from __future__ import annotations

import asyncio
import sys

from tests.support.scorers import scripted_scorers

STRATEGIES = ("mf", "random")


async def serve(port: int) -> None:
    """Until the process ends."""
    async with scripted_scorers({"mf": lambda _: 0.4, "random": lambda _: 0.5}, port) as scorers:
        scorers.delay_s = 0.02
        while True:
            await asyncio.sleep(60)
            scorers.batches.clear()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
