"""`Route` with mf beside the embedder itself: one caller's latency, and the throughput of 64."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from benchmarks.decisions import prompts
from benchmarks.decisions.alone import SIZES, Alone, Times, embedder_alone
from tests.support.product import Product, running_product

MOST_MS: Final = 3.0
LEAST_SHARE: Final = 0.8
_CALLERS: Final = 64
_MODEL: Final = "router-mf-0.5"
_BACKEND: Final = {"base_url": "http://127.0.0.1:9/v1", "model": "never-called"}


def settings(strategies: dict[str, Any], controller: dict[str, Any] | None = None) -> dict[str, Any]:
    """For `running_product`: nothing is remembered, and no backend runs."""
    own = {"decision_cache": 0, "scorer_timeout_s": 10, **(controller or {})}
    return {"strategies": strategies, "backends": {"strong": _BACKEND, "weak": _BACKEND}, "controller": own}


def tables(rounds: int, seconds: float, kinds: list[str], threads: int) -> Iterator[str]:
    """Markdown, line by line, as it is measured."""
    mf = {"threads": threads, "options": {"embedding_cache": 0}}
    with tempfile.TemporaryDirectory() as folder, running_product(Path(folder), **settings({"mf": mf})) as product:
        for kind in kinds:
            path = prompts.write(kind, Path(folder))
            with embedder_alone(path, threads) as alone:
                yield from _latency(kind, path, product, alone, rounds, seconds)
                yield from _throughput(kind, path, product, alone, rounds, seconds)


def _latency(kind: str, path: Path, product: Product, alone: Alone, rounds: int, seconds: float) -> Iterator[str]:
    found: dict[str, list[dict[str, Any]]] = {}
    own: list[Times] = []
    for _ in range(rounds):
        own.append(alone.ask(1, seconds))
        for name, address in _addresses(product).items():
            found.setdefault(name, []).append(_load(product, address, path, 1, seconds))
    yield f"\n## {kind}, 1 caller\n"
    yield "| what | p50, ms | p99, ms | added p50, ms | bar | CPU, ms | errors |\n|---|---|---|---|---|---|---|"
    shown = " | ".join(f"{statistics.median(getattr(one, which) for one in own):.2f}" for which in ("p50_ms", "p99_ms"))
    yield f"| the embedder itself | {shown} | | | {statistics.median(one.cpu_ms for one in own):.2f} | |"
    for name, each in found.items():
        added = statistics.median(one["latency_ms"]["p50"] - itself.p50_ms for one, itself in zip(each, own, strict=True))
        row = [_median(each, "latency_ms", "p50"), _median(each, "latency_ms", "p99"), added]
        yield f"| Route, {name} | {' | '.join(f'{value:.2f}' for value in row)} | {MOST_MS:g} | {_tail(each)} |"


def _throughput(kind: str, path: Path, product: Product, alone: Alone, rounds: int, seconds: float) -> Iterator[str]:
    found: dict[str, list[dict[str, Any]]] = {}
    own: dict[int, list[Times]] = {size: [] for size in SIZES}
    for _ in range(rounds):
        for size in SIZES:
            own[size].append(alone.ask(size, seconds / 2))
        for name, address in _addresses(product).items():
            found.setdefault(name, []).append(_load(product, address, path, _CALLERS, seconds))
    rates = {size: statistics.median(one.per_second for one in times) for size, times in own.items()}
    best = max(rates, key=rates.__getitem__)
    yield f"\n## {kind}, {_CALLERS} callers\n"
    yield "| what | per second | share of the embedder's | bar | p50, ms | p99, ms | CPU, ms | errors |\n|---|---|---|---|---|---|---|---|"
    for size, times in own.items():
        cpu = statistics.median(one.cpu_ms for one in times)
        yield f"| the embedder itself, {size} at once{', its best' if size == best else ''} | {rates[size]:.0f} | | | | | {cpu:.2f} | |"
    for name, each in found.items():
        share = statistics.median(one["per_second"] / itself.per_second for one, itself in zip(each, own[best], strict=True))
        latency = " | ".join(f"{_median(each, 'latency_ms', which):.1f}" for which in ("p50", "p99"))
        yield f"| Route, {name} | {_median(each, 'per_second'):.0f} | {share:.0%} | {LEAST_SHARE:.0%} | {latency} | {_tail(each)} |"


def _addresses(product: Product) -> dict[str, str]:
    controller = f"127.0.0.1:{product.settings['controller']['grpc_port']}"
    return {"at the controller": controller, "by the gateway": product.grpc}


def _load(product: Product, address: str, path: Path, callers: int, seconds: float) -> dict[str, Any]:
    load = ["--concurrency", str(callers), "--seconds", str(seconds), "--warmup", "0.5", "--prompts", str(path)]
    target = ["--address", address, "--model", _MODEL, "--pid", f"service={product.process.pid}", "--json"]
    ended = subprocess.run(
        [sys.executable, "-m", "pointsman.cli", "loadtest", "route", *load, *target], capture_output=True, text=True, check=True
    )
    answer: dict[str, Any] = json.loads(ended.stdout)
    return answer


def _median(rounds: list[dict[str, Any]], *path: str) -> float:
    values: list[Any] = list(rounds)
    for key in path:
        values = [value[key] for value in values]
    return float(statistics.median(values))


def _tail(rounds: list[dict[str, Any]]) -> str:
    cpu = _median(rounds, "cpu_ms_per_call", "service")
    return f"{cpu:.2f} | {sum(sum(one['errors'].values()) for one in rounds)}"
