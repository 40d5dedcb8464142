"""Each strategy's router as a scorer's replica builds it, on one thread: processor seconds of batches."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import torch
from threadpoolctl import threadpool_limits

from benchmarks.growth.sizes import controller_series, receipt_bytes
from benchmarks.scorers.timing import texts
from pointsman.runtime.settings import StrategySettings
from pointsman.runtime.whole_files import written_whole
from scorers.registry import build_router
from scorers.router import Router, ScoredPrompt

STRATEGIES: Final = ("mf", "sw_ranking", "bert", "causal_llm", "random")
_SHORTEST_S: Final = 0.02
"""What takes less is repeated, for the processor's clock has its own grain."""
_UNCACHED: Final = {"mf": {"embedding_cache": 0}, "sw_ranking": {"embedding_cache": 0}}

# What this program doesn't measure. It stays in measured.json as it is once it's there, so that a run of its own can replace it.
_ELSEWHERE: Final[dict[str, Any]] = {
    "cpu_ms_per_decision": {"gateway": 0.17, "controller": 0.61, "serve_per_call": 0.635},
    "haproxy_ms_per_call": 0.115,
    "hop_ms": 1.0,
    "memory_mib": {
        "mf": 421, "sw_ranking": 429, "bert": 446, "causal_llm": 856, "random": 126, "gateway": 41, "controller": 48, "ray": 744,
    },
    "redis_ms_per_increment": 0.0117,
    "sources": {
        "cpu_ms_per_decision": (
            "to be measured by `services`; sums of the libraries' own costs on 2 shared cores: gateway is Starlette 0.05 and a gRPC "
            "call 0.12; controller is a gRPC server 0.19, a call to the scorer 0.12 and one to the backend over httpx-aiohttp 0.30; "
            "serve_per_call is Serve behind HAProxy, saturated, one prompt a call. Our own code comes on top"
        ),
        "haproxy_ms_per_call": "HAProxy's own share of serve_per_call, 0.08 to 0.15 ms, measured with it",
        "hop_ms": "p50 of a call to an idle scorer that computes nothing, measured with it",
        "redis_ms_per_increment": (
            "Redis 7.0.15 on this machine: used_cpu_user and used_cpu_sys after redis-benchmark -t incr -n 200000 -c 50, 2.34 s, "
            "start included; 2026-11-25"
        ),
        "memory_mib": "PSS, benchmarks/startup.md; a replica's checkpoint and code included",
    },
}  # fmt: skip


def measure(strategies: Sequence[str], words: Sequence[int], prompts: Sequence[int], rounds: int, file: Path) -> None:
    """Writes `file` whole; what isn't measured again stays as it is there."""
    torch.set_num_threads(1)
    known: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else dict(_ELSEWHERE)
    known["service"] = dict(known.get("service", {}))
    load = os.getloadavg()[0]
    with threadpool_limits(1):
        for strategy in strategies:
            known["service"][strategy] = _rows(strategy, words, prompts, rounds)
    known["receipt_bytes"], known["controller_series"] = receipt_bytes(), controller_series()
    known["measured"] = _where(load)
    with written_whole(file) as opened:
        opened.write((json.dumps(known, indent=1) + "\n").encode())


def _rows(strategy: str, words: Sequence[int], prompts: Sequence[int], rounds: int) -> list[dict[str, float]]:
    """All sizes take turns in every round, so that what else runs here meets all of them alike."""
    router = build_router(strategy, StrategySettings(options=_UNCACHED.get(strategy, {}), threads=1))
    cells = [(length, count) for length in words for count in prompts]
    works = {cell: _work(router, *cell) for cell in cells}
    repeats = {cell: _repeats(work) for cell, work in works.items()}  # which warms up too
    found: dict[tuple[int, int], list[float]] = {cell: [] for cell in cells}
    for number in range(rounds):
        for cell, work in works.items():
            found[cell].append(_processor_s(work, repeats[cell]))
        print(f"{strategy}: round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    return [{"words": length, "prompts": count, "ms": round(statistics.median(each) * 1e3, 5)} for (length, count), each in found.items()]


def _work(router: Router, words: int, prompts: int) -> Callable[[], object]:
    asked = [ScoredPrompt(text) for text in texts(words, prompts)]
    return lambda: router.calculate_strong_win_rates(asked)


def _repeats(work: Callable[[], object]) -> int:
    work()
    return max(1, round(_SHORTEST_S / max(_processor_s(work, 1), 1e-6)))


def _processor_s(work: Callable[[], object], repeats: int) -> float:
    """Of one call. Processor seconds, since others on the machine make it wait."""
    begun = time.process_time()
    for _ in range(repeats):
        work()
    return (time.process_time() - begun) / repeats


def _where(load: float) -> dict[str, Any]:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").is_file() else []
    processor = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
    packages = {name: version(name) for name in ("numpy", "torch", "transformers", "ray", "grpcio")}
    return {
        "command": f"python -m benchmarks.growth {' '.join(sys.argv[1:])}",
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{processor}, {os.cpu_count()} cores, one thread used",
        "load": [round(load, 1), round(os.getloadavg()[0], 1)],
        "versions": {"python": platform.python_version(), **packages},
    }
