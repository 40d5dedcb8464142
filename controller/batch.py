"""Many prompts at once, few of them in flight."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from pointsman.runtime.controller_settings import ControllerSettings
from pointsman.runtime.errors import InvalidRequest

MOST_PROMPTS: Final = 1024
Item = TypeVar("Item")
Result = TypeVar("Result")


def checked(prompts: Sequence[str]) -> Sequence[str]:
    """The prompts of one call. Raises `InvalidRequest` for too many."""
    if len(prompts) > MOST_PROMPTS:
        raise InvalidRequest(f"{len(prompts):,} prompts are more than {MOST_PROMPTS:,}; send them in several calls.", param="prompts")
    return prompts


def most_in_flight(settings: ControllerSettings) -> int:
    """Prompts of one call at a scorer: one batch, since the second would wait for the first within the same `scorer_timeout_s`; and never
    more than half of what may wait."""
    return max(1, min(settings.max_batch, settings.max_waiting // 2))


async def in_order(work: Callable[[Item], Awaitable[Result]], items: Sequence[Item], at_once: int) -> list[Result]:
    """Each item's result, in order, `at_once` of them worked on at a time. What one raises ends all."""
    results: dict[int, Result] = {}
    waiting = iter(enumerate(items))

    async def worker() -> None:
        for place, item in waiting:
            results[place] = await work(item)
            await asyncio.sleep(0)  # work that never waits mustn't keep other requests from their turn

    async with asyncio.TaskGroup() as group:
        for _ in range(min(at_once, len(items))):
            group.create_task(worker())
    return [results[place] for place in range(len(items))]
