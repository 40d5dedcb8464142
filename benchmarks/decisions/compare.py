"""One prompt to all five strategies by `CompareStrategies`, beside each strategy by itself."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import psutil

from benchmarks.decisions import prompts
from benchmarks.decisions.route import settings
from pointsman.client import AsyncClient
from tests.support.product import Product, running_product

STRATEGIES: Final = ("mf", "sw_ranking", "bert", "causal_llm", "random")
_TIMES, _PLUS_MS = 1.2, 3.0
_ALL: Final = "all five"
_MODELS: Final = "the models' CPU, all five"


def tables(rounds: int, seconds: float, kinds: list[str], threads: int) -> Iterator[str]:
    """Markdown, line by line, as it is measured."""
    cached = {"threads": threads, "options": {"embedding_cache": 0}}
    strategies = {name: cached if name in ("mf", "sw_ranking") else {"threads": threads} for name in STRATEGIES}
    with tempfile.TemporaryDirectory() as folder, running_product(Path(folder), **settings(strategies)) as product:
        for kind in kinds:
            texts = prompts.write(kind, Path(folder)).read_text().splitlines()
            found = asyncio.run(_measured(product, texts, rounds * seconds))
            yield from _table(kind, found)


async def _measured(product: Product, texts: Sequence[str], seconds: float) -> dict[str, list[float]]:
    """Milliseconds of each call; all five and each alone take turns, prompt by prompt."""
    asked: dict[str, Sequence[str]] = {name: (name,) for name in STRATEGIES} | {_ALL: STRATEGIES}
    found: dict[str, list[float]] = {name: [] for name in (*asked, _MODELS)}
    replicas = [psutil.Process(pid) for pid in product.pids("ray::ServeReplica")]
    async with AsyncClient(f"127.0.0.1:{product.settings['controller']['grpc_port']}") as client:
        until, number = time.monotonic() + seconds, 0
        while time.monotonic() < until:
            for name, strategies in asked.items():
                text = texts[number % len(texts)]
                busy = _cpu_s(replicas)
                begun = time.perf_counter()
                answer = await client.compare_strategies(text, strategies=strategies)
                took = 1000 * (time.perf_counter() - begun)
                if failed := [each.strategy for each in answer.opinions if each.failure]:
                    raise RuntimeError(f"no opinion of {failed}")
                if number >= len(asked):  # the first of each is for warming up
                    found[name].append(took)
                    if name == _ALL:
                        found[_MODELS].append(1000 * (_cpu_s(replicas) - busy))
            number += 1
    return found


def _cpu_s(processes: Sequence[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def _table(kind: str, found: dict[str, list[float]]) -> Iterator[str]:
    medians = {name: statistics.median(times) for name, times in found.items()}
    slowest = max(medians[name] for name in STRATEGIES)
    yield f"\n## {kind}, 1 caller, {len(found[_ALL])} prompts\n"
    yield "| asked | p50, ms | p90, ms |\n|---|---|---|"
    for name, times in found.items():
        if name != _MODELS:
            yield f"| {name} | {medians[name]:.2f} | {statistics.quantiles(times, n=10)[-1]:.2f} |"
    allowed = _TIMES * slowest + _PLUS_MS
    cpu = statistics.mean(found[_MODELS])  # the system counts in hundredths of a second
    yield f"\nAllowed: {_TIMES:g} × {slowest:.2f} + {_PLUS_MS:g} = {allowed:.2f} ms; all five took {medians[_ALL]:.2f} ms, and"
    cores = psutil.cpu_count() or 1
    yield f"{cpu:.1f} ms of the replicas' CPU in the mean: on {cores} cores no less than {cpu / cores:.1f} ms."
