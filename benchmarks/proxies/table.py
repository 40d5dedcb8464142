"""The measurements as Markdown: medians of the rounds, and Pointsman's ratios to the others."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

Found = dict[str, dict[str, list[dict[str, Any]]]]
"""By cell and service, a measurement of each round."""


def median(measured: Sequence[dict[str, Any]], *path: str) -> float:
    """Of one figure of all rounds; not a number where there is none."""
    values = [_at(one, path) for one in measured]
    return statistics.median(value for value in values if value is not None) if any(value is not None for value in values) else float("nan")


def written(found: Found, paced: Found, *, rounds: int, seconds: float, is_ahead: bool) -> str:
    """The whole document; `is_ahead`: the kernel preferred backend and load generator."""
    lines = [
        "# What a request costs by way of Pointsman, LiteLLM's proxy and RouteLLM's server",
        "",
        f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {_versions()}.",
        f"`make bench-arms`, then `.venv/bin/python -m benchmarks.proxies --rounds {rounds} --seconds {seconds:g}"
        " --out benchmarks/proxies.md` (interleaved; medians of the rounds).",
        "",
        "Latency is in milliseconds from request to last byte. CPU is in milliseconds per answered request, of the service's whole"
        " process tree: Pointsman's is gateway, controller and all of Ray. Backend and load generator share the cores"
        + (", are preferred there to all services alike (autogroup -10)," if is_ahead else "")
        + " and aren't counted.",
        "",
    ]
    for cell, by_arm in [*found.items(), *paced.items()]:
        lines += [f"## {cell}", "", *_table(by_arm), ""]
    return "\n".join(lines)


def _table(by_arm: dict[str, list[dict[str, Any]]]) -> Iterable[str]:
    yield "| service | answers/s | p50 | p99 | first byte p50 | CPU | Pointsman's CPU | Pointsman's answers/s | memory, MiB | errors |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    own = by_arm["pointsman"]
    for name, measured in by_arm.items():
        cpu, rate = median(measured, "cpu_ms_per_call", "service"), median(measured, "per_second")
        part = f"1/{cpu / median(own, 'cpu_ms_per_call', 'service'):.1f}" if name not in ("direct", "pointsman") else ""
        times = f"{median(own, 'per_second') / rate:.1f}×" if name not in ("direct", "pointsman") else ""
        latency = (median(measured, "latency_ms", which) for which in ("p50", "p99"))
        shown = [f"{rate:,.0f}", *(f"{value:.2f}" for value in latency), f"{median(measured, 'first_byte_ms', 'p50'):.2f}"]
        memory = median(measured, "rss_bytes", "service") / 2**20
        errors = sum(sum(one["errors"].values()) for one in measured)
        yield f"| {' | '.join([name, *shown, _number(cpu, 2), part, times, _number(memory, 0), str(errors)])} |"


def _number(value: float, places: int) -> str:
    return "" if value != value else f"{value:,.{places}f}"


def _at(measured: dict[str, Any], path: Sequence[str]) -> float | None:
    value: Any = measured
    for key in path:
        value = value.get(key)
        if value is None:
            return None
    return float(value)


def _versions() -> str:
    own = [f"{package} {version(package)}" for package in ("ray", "grpcio", "uvicorn", "aiohttp")]
    return ", ".join([*own, *(f"{name} {found}" for name in ("litellm", "routellm") if (found := _other(name)))])


def _other(name: str) -> str:
    """The version in the environment of that name; empty where it isn't installed."""
    found = sorted(Path(__file__).parents[2].glob(f".venv/{name}/lib/python*/site-packages/{name}-*.dist-info"))
    try:
        return found[0].name.removesuffix(".dist-info").rpartition("-")[2] if found else ""
    except PackageNotFoundError:
        return ""
