"""Win rates for many prompts: by routers in this process, or by a running service. The same figures either way."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from pointsman.client import Access, AsyncClient
from pointsman.client.patience import TRIES, patiently_async
from pointsman.runtime.errors import Unavailable
from pointsman.runtime.settings import Settings, StrategySettings
from pointsman.v1 import route_service_pb2, routing_pb2
from scorers.errors import ModelFailed
from scorers.offline.scored import Progress, Scored
from scorers.registry import build_router
from scorers.router import ScoredPrompt, WinRate

_BATCH: Final = 64


def scored_here(strategies: Sequence[str], prompts: Sequence[str], settings: Settings, progress: Progress) -> list[Scored]:
    """Builds one router after the other. Raises `UnknownStrategy`, `StrategyNotBuilt`, `ModelFailed`."""
    scored: list[Scored] = []
    done = 0
    for name in strategies:
        router = build_router(name, settings.strategies.get(name, StrategySettings()))
        scored.append(Scored(name, router.checkpoint, router.embedder, []))
        for start in range(0, len(prompts), _BATCH):
            batch = [ScoredPrompt(text) for text in prompts[start : start + _BATCH]]
            for result in router.calculate_strong_win_rates(batch):
                if not isinstance(result, WinRate):
                    raise ModelFailed(name)
                scored[-1].win_rates.append(result.strong_win_rate)
            progress(done := done + len(batch))
    return scored


def scored_by_service(
    strategies: Sequence[str],
    prompts: Sequence[str],
    address: str,
    concurrency: int,
    progress: Progress,
    *,
    tries: int = TRIES,
    access: Access | None = None,
) -> list[Scored]:
    """Asks the service at `address`, `concurrency` prompts at a time, each at most `tries` times.

    Raises `RouteError`, and `Unavailable` where one stays unscored or a checkpoint was replaced on the way.
    """
    return asyncio.run(_scored_by_service(strategies, prompts, address, concurrency, progress, tries, access or {}))


async def _scored_by_service(
    strategies: Sequence[str], prompts: Sequence[str], address: str, concurrency: int, progress: Progress, tries: int, access: Access
) -> list[Scored]:
    rates: dict[str, list[float]] = {name: [float("nan")] * len(prompts) for name in strategies}
    checkpoints: dict[str, set[str]] = {name: set() for name in strategies}
    left = iter(range(len(prompts)))
    done = 0

    async def worker(client: AsyncClient) -> None:
        nonlocal done
        for index in left:
            for opinion in await _opinions(client, strategies, prompts[index], tries):
                rates[opinion.strategy][index] = opinion.strong_win_rate
                checkpoints[opinion.strategy].add(opinion.checkpoint)
            progress(done := done + len(strategies))

    async with AsyncClient(address, **access) as client:
        await asyncio.gather(*(worker(client) for _ in range(concurrency)))
        listed = {each.name: each for each in (await patiently_async(client.list_strategies, tries)).strategies}
    for name, seen in checkpoints.items():
        if seen and seen != {listed[name].checkpoint}:
            raise Unavailable(f"The checkpoint of {name} was replaced while its win rates were asked for; try again.")
    return [Scored(name, listed[name].checkpoint, listed[name].embedder, rates[name]) for name in strategies]


async def _opinions(client: AsyncClient, strategies: Sequence[str], prompt: str, tries: int) -> Sequence[routing_pb2.Opinion]:
    """Every strategy's opinion; one that failed is asked again, since a figure over the rest would be another figure.

    Raises `RouteError`, `Unavailable`.
    """
    kept: dict[str, routing_pb2.Opinion] = {}

    async def ask() -> Sequence[routing_pb2.Opinion]:
        missing = [name for name in strategies if name not in kept]
        response: route_service_pb2.CompareStrategiesResponse = await client.compare_strategies(prompt, strategies=missing)
        kept.update({opinion.strategy: opinion for opinion in response.opinions if opinion.HasField("strong_win_rate")})
        if unscored := [name for name in strategies if name not in kept]:
            said = f"The service gave no win rate of {', '.join(unscored)} in {tries} tries; `pointsman strategies` says which are ready."
            raise Unavailable(said, retry_after_s=0)
        return list(kept.values())

    return await patiently_async(ask, tries)
