"""How much faster sw_ranking is than upstream's way, which refits scikit-learn's lbfgs on every battle for every prompt. On purpose:

    .venv/bin/python -m benchmarks.sw_ranking [--threads 1 2] [--battles 55000] [--dim 1536]

Prints a Markdown table. Both sides are given embedded prompts, and run in turn in one process on the same threads; upstream's side
leaves out its pandas bookkeeping, which would only make it slower. Times are those of the fastest run, for others may use the machine.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from scorers.sw_ranking.config import Solver
from scorers.sw_ranking.model import SimilarityWeightedRanking
from scorers.sw_ranking.table import BattleTable, build_table, stored

_MODELS, _GROUPS, _BATCH, _STRONG, _WEAK = 64, 10, 32, 0, 40
Rates = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Row:
    """Seconds per prompt, and the largest difference of a win rate from upstream's."""

    name: str
    seconds: float
    difference: float


def main() -> None:
    """Times both, and ours over tables of other sizes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--battles", type=int, default=55_000)
    parser.add_argument("--dim", type=int, default=1536)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="of the linear algebra, on both sides; a replica has 1")
    arguments = parser.parse_args()
    packages = ", ".join(f"{package} {version(package)}" for package in ("numpy", "scikit-learn"))
    print(f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {packages}\n")
    print(f"{arguments.battles:,} battles of {_MODELS} models in {_GROUPS} groups, {arguments.dim} dimensions, batches of {_BATCH}:\n")
    print("| way | threads | per prompt | upstream's time over it | largest difference from upstream's win rate |\n|---|---|---|---|---|")
    for threads in arguments.threads:
        with threadpool_limits(threads):
            rows = _compared(arguments.battles, arguments.dim, arguments.runs)
        for row in rows:
            ratio = rows[0].seconds / row.seconds
            print(f"| {row.name} | {threads} | {row.seconds * 1e3:.2f} ms | {ratio:.0f} × | {row.difference:.1e} |")
    print("\nOurs, exact, int8, 384 dimensions, 1 thread:\n\n| battles | per prompt, batch 32 | per prompt, batch 1 |\n|---|---|---|")
    with threadpool_limits(1):
        for battles in (10_000, 50_000, 200_000, 1_000_000):
            batched, single = _sized(battles, 384, 5)
            print(f"| {battles:,} | {batched * 1e3:.2f} ms | {single * 1e3:.2f} ms |")


def _compared(battles: int, dim: int, runs: int) -> list[Row]:
    table, queries = _arena(battles, dim)
    small = replace(table, embeddings=stored(table.embeddings, "int8"))
    ours = {
        f"{solver}, {storage}": _ranking(kept, solver)
        for solver in ("compat", "exact")
        for storage, kept in (("float32", table), ("int8", small))
    }
    upstream = _Upstream(table)
    few = max(4, runs)
    wanted = np.array([upstream.win_rate(query) for query in queries[:few]])
    times: dict[str, list[float]] = {name: [] for name in ours}
    upstream_times = []
    for run in range(runs):
        upstream_times.append(_seconds(lambda query=queries[run % few]: upstream.win_rate(query)))  # type: ignore[misc]
        for name, ranking in ours.items():
            times[name].append(_seconds(lambda ranking=ranking: ranking.win_rates(queries)) / len(queries))  # type: ignore[misc]
    rows = [Row("upstream's: lbfgs on all battles, prompt by prompt", min(upstream_times), 0)]
    differences = {name: float(np.abs(ranking.win_rates(queries[:few]) - wanted).max()) for name, ranking in ours.items()}
    return rows + [Row(name, min(times[name]), differences[name]) for name in ours]


def _sized(battles: int, dim: int, runs: int) -> tuple[float, float]:
    table, queries = _arena(battles, dim)
    ranking = _ranking(replace(table, embeddings=stored(table.embeddings, "int8")), "exact")
    batched = [_seconds(lambda: ranking.win_rates(queries)) / len(queries) for _ in range(runs)]
    return min(batched), min(_seconds(lambda: ranking.win_rates(queries[:1])) for _ in range(runs))


class _Upstream:
    """RouteLLM's computation: cosines in float64, norms and all, then the refit on every battle twice."""

    def __init__(self, table: BattleTable) -> None:
        self._embeddings = table.embeddings.astype(np.float64)
        group = table.rating_group.astype(np.int64)
        self._a, self._b, self._outcome = group[table.model_a], group[table.model_b], table.outcome

    def win_rate(self, query: NDArray[np.float32]) -> float:
        e = query.astype(np.float64)
        cosines = self._embeddings @ e / (np.linalg.norm(self._embeddings, axis=1) * np.linalg.norm(e))
        weights = 10 * 10 ** (cosines / cosines.max())
        n = len(weights)
        rows = np.zeros((2 * n, _GROUPS))
        rows[np.arange(2 * n), np.tile(self._a, 2)] = np.log(10)
        rows[np.arange(2 * n), np.tile(self._b, 2)] = -np.log(10)
        labels = np.tile(self._outcome == 0, 2).astype(np.float64)
        labels[:n][self._outcome == 2] = 1
        regression = LogisticRegression(fit_intercept=False, C=np.inf)
        ratings = regression.fit(rows, labels, sample_weight=np.tile(weights, 2)).coef_[0]
        return float(1 / (1 + 10 ** (ratings[_WEAK * _GROUPS // _MODELS] - ratings[_STRONG * _GROUPS // _MODELS])))


def _arena(battles: int, dim: int) -> tuple[BattleTable, NDArray[np.float32]]:
    draw = np.random.default_rng(7)
    prompts = draw.standard_normal((battles + _BATCH, dim), dtype=np.float32) + np.float32(0.4)
    a = draw.integers(_MODELS, size=battles)
    b = (a + draw.integers(1, _MODELS, size=battles)) % _MODELS
    strength = np.linspace(1, -1, _MODELS)
    won = draw.random(battles) < 1 / (1 + np.exp(strength[b] - strength[a]))
    outcome = np.where(draw.random(battles) < 0.2, 2, np.where(won, 0, 1))
    groups = [model * _GROUPS // _MODELS for model in range(_MODELS)]
    return build_table(prompts[:battles], a.tolist(), b.tolist(), outcome.tolist(), groups), prompts[battles:]


def _ranking(table: BattleTable, solver: Solver) -> SimilarityWeightedRanking:
    return SimilarityWeightedRanking(table, strong=_STRONG, weak=_WEAK, solver=solver)


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
