"""Measures, and writes benchmarks/scorers.md and its plots. On purpose, not in CI:

.venv/bin/python -m benchmarks.scorers [--quick] [--only sw_ranking bert causal_llm mf] [--threads 1 2] [--out benchmarks]
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.pictures import picture
from benchmarks.scorers.battles import Upstream, arena, ranking
from benchmarks.scorers.models import Way, served, upstream_bert, upstream_causal_llm
from benchmarks.scorers.timing import BATCH, Timed, texts, timed
from scorers.embedding.embedder import DEFAULT_EMBEDDER, build_embedder
from scorers.precision import has_bfloat16, has_int8
from scorers.sw_ranking.model import SimilarityWeightedRanking
from scorers.sw_ranking.table import stored

_UPSTREAM = "RouteLLM's way"
_STRATEGIES = ("sw_ranking", "bert", "causal_llm", "mf")
Curve = list[tuple[int, float]]
"""What grows, and milliseconds per prompt."""


class Report:
    """The tables' rows and the plots' curves, as they come."""

    def __init__(self) -> None:
        self.threads = 1
        """Of what is measured now; a row says it."""
        self.rows: list[str] = []
        self.curves: dict[str, dict[str, Curve]] = {}

    def compare(self, case: str, ways: Mapping[str, Callable[[], int]], rounds: int) -> None:
        """A row for each way; the ratio is to the first."""
        found = timed(ways, rounds)
        first = next(iter(found.values())).wall
        for name, each in found.items():
            self.rows.append(
                f"| {case} | {self.threads} | {name} | {each.wall * 1e3:.3f} | {each.processor * 1e3:.3f} | {first / each.wall:.1f} |"
            )
            print(self.rows[-1], flush=True)

    def grow(self, plot: str, curve: str, size: int, each: Timed) -> None:
        """A point of a curve."""
        self.curves.setdefault(plot, {}).setdefault(curve, []).append((size, each.wall * 1e3))
        print(f"{plot}: {curve} at {size:,}: {each.wall * 1e3:.3f} ms per prompt", flush=True)


def main() -> None:
    """Runs what is asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="few rounds, small sizes: to try the program out")
    parser.add_argument("--only", nargs="+", choices=_STRATEGIES, default=list(_STRATEGIES))
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="comparisons run with each, the curves with the first")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1])
    options = parser.parse_args()
    where, report = _where(), Report()
    compare = {"sw_ranking": _sw_ranking, "bert": _bert, "causal_llm": _causal_llm, "mf": _mf}
    for name in options.only:
        for threads in options.threads:
            with _threads(report, threads):
                compare[name](report, options.quick, threads)
        with _threads(report, options.threads[0]):
            _growth(report, name, options.quick, options.threads[0])
    _write(report, where, options.out)


@contextmanager
def _threads(report: Report, threads: int) -> Iterator[None]:
    torch.set_num_threads(threads)
    report.threads = threads
    with threadpool_limits(threads):
        yield


def _sw_ranking(report: Report, quick: bool, threads: int) -> None:
    table, queries = arena(5_000 if quick else 55_000, 1536, "float32")
    upstream = Upstream(table)
    ways: dict[str, Callable[[], int]] = {_UPSTREAM: partial(_refitted, upstream, queries)}
    ways |= {f"{solver}, float32": partial(_ranked, ranking(table, solver), queries) for solver in ("exact", "compat")}
    ways["exact, int8"] = partial(_ranked, ranking(replace(table, embeddings=stored(table.embeddings, "int8")), "exact"), queries)
    report.compare(f"sw_ranking, {len(table.outcome):,} × 1,536", ways, 2 if quick else 7)


def _growth(report: Report, name: str, quick: bool, threads: int) -> None:
    """How the cost per prompt grows, by the engine that `auto` takes; sw_ranking's also with the table."""
    if name == "sw_ranking":
        _battles(report, quick)
    else:
        _sizes(report, name, served(name, None, threads, **({"embedding_cache": 0} if name == "mf" else {})), quick)


def _battles(report: Report, quick: bool) -> None:
    for dim in (384, 1536):
        for battles in (10_000, 30_000) if quick else (10_000, 30_000, 100_000, 300_000, 1_000_000):
            table, queries = arena(battles, dim, "int8")
            ours = ranking(table, "exact")
            for count in (BATCH, 1):
                each = timed({"": partial(_ranked, ours, queries[:count])}, 3)[""]
                report.grow("sw_ranking by battles", f"{dim} dimensions, int8, batch {count}", battles, each)


def _ranked(ours: SimilarityWeightedRanking, queries: NDArray[np.float32]) -> int:
    return len(ours.win_rates(queries))


def _refitted(upstream: Upstream, queries: NDArray[np.float32]) -> int:
    upstream.win_rate(queries[0])
    return 1


def _bert(report: Report, quick: bool, threads: int) -> None:
    engines = ["float32", *(["int8"] if has_int8() else []), *(["bfloat16"] if has_bfloat16() else [])]
    ways = {_UPSTREAM: upstream_bert()} | {engine: served("bert", engine, threads) for engine in engines}
    for tokens in (32, 128):
        prompts = texts(tokens - 2)
        report.compare(f"bert, {tokens} tokens", {name: partial(way, prompts) for name, way in ways.items()}, 3 if quick else 9)


def _causal_llm(report: Report, quick: bool, threads: int) -> None:
    engines = ["float32", *(["bfloat16"] if has_bfloat16() else [])]
    ways = {_UPSTREAM: upstream_causal_llm(torch.float32)}
    if has_bfloat16():
        ways[f"{_UPSTREAM}, in bfloat16"] = upstream_causal_llm(torch.bfloat16)
    ours = {engine: served("causal_llm", engine, threads) for engine in engines}
    for words in (12, 32, 96):
        few, all_ = texts(words)[: 2 if quick else 8], texts(words)
        each = {name: partial(way, few) for name, way in ways.items()} | {name: partial(way, all_) for name, way in ours.items()}
        report.compare(f"causal_llm, {words + 8} tokens", each, 1 if quick else 3)


def _mf(report: Report, quick: bool, threads: int) -> None:
    embedder, cached = build_embedder(DEFAULT_EMBEDDER, threads=threads), served("mf", None, threads)
    prompts = texts(30)
    ways: dict[str, Callable[[], int]] = {
        "the embedding alone": lambda: len(embedder.embed(prompts).vectors),
        "mf, its embeddings cached": partial(cached, prompts),
    }
    report.compare("mf, 32 tokens", ways, 5 if quick else 51)


def _sizes(report: Report, name: str, way: Way, quick: bool) -> None:
    rounds = 1 if quick else 3
    for words in (8, 64) if quick else (8, 16, 32, 64, 128, 256, 512):
        report.grow("by words of a prompt, batch 32", name, words, timed({"": partial(way, texts(words))}, rounds)[""])
    for count in (1, 32) if quick else (1, 2, 4, 8, 16, 32, 64):
        report.grow("by batch, 32 words", name, count, timed({"": partial(way, texts(32, count))}, rounds)[""])


def _where() -> str:
    processor = next((line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "")
    found = torch.cpu.get_capabilities()
    extras = [flag for flag in ("avx512_f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "amx_int8") if found.get(flag)]
    packages = ", ".join(f"{each} {version(each)}" for each in ("numpy", "scikit-learn", "torch", "transformers"))
    return (
        f"{time.strftime('%Y-%m-%d')}, {processor or platform.machine()} ({', '.join(extras) or 'no AVX-512'}), {os.cpu_count()} cores, "
        f"load at the start {os.getloadavg()[0]:.1f}; Python {platform.python_version()}, {packages}."
    )


def _lines(file: str) -> list[str]:
    return Path(file).read_text(encoding="utf-8").splitlines() if Path(file).is_file() else []


def _write(report: Report, where: str, out: Path) -> None:
    parts = ["# The strategies' speed", f"    .venv/bin/python -m benchmarks.scorers {' '.join(sys.argv[1:])}".rstrip(), where]
    head = "| what | threads | way | ms per prompt | processor ms per prompt | ratio |\n|---|---|---|---|---|---|"
    parts.append("\n".join([head, *report.rows]))
    for plot, curves in report.curves.items():
        file = f"scorers-{plot.replace(',', '').replace(' ', '-')}.svg"
        with picture(out / file) as figure:
            axes = figure.add_subplot()
            for name, points in curves.items():
                axes.loglog(*zip(*points, strict=True), marker="o", label=name)
            axes.set(xlabel=plot, ylabel="ms per prompt")
            axes.legend()
        parts.append(f"![{plot}]({file})\n\n| {plot} | size | ms per prompt |\n|---|---|---|")
        parts[-1] += "".join(f"\n| {name} | {size:,} | {each:.3f} |" for name, points in curves.items() for size, each in points)
    (out / "scorers.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
