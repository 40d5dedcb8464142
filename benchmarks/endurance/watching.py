"""Each process's memory, files and event loop, looked at while it works."""

from __future__ import annotations

import asyncio
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field

import psutil
from prometheus_client.parser import text_string_to_metric_families

STALL_S = 0.1


@dataclass(frozen=True, slots=True)
class Loop:
    """A service's event loop, since the service began."""

    tasks: int
    longest_s: float
    looks: int
    stalls: int
    """Looks that found it more than 100 ms behind."""


@dataclass(frozen=True, slots=True)
class Look:
    """At every process; `at` is in seconds of the monotonic clock. A process that has gone is in none of the maps."""

    at: float
    rss_bytes: dict[str, int]
    descriptors: dict[str, int]
    loops: dict[str, Loop]


def look(pids: Mapping[str, int], metrics: Mapping[str, str]) -> Look:
    """Looks once; `metrics` are URLs by service. Raises `OSError` where a service doesn't answer."""
    rss, descriptors = {}, {}
    for name, pid in pids.items():
        try:
            process = psutil.Process(pid)
            rss[name], descriptors[name] = process.memory_info().rss, process.num_fds()
        except psutil.Error:
            continue
    return Look(time.monotonic(), rss, descriptors, {name: _loop(url) for name, url in metrics.items()})


def _loop(url: str) -> Loop:
    with urllib.request.urlopen(url, timeout=30) as answer:
        families = text_string_to_metric_families(str(answer.read(), "utf-8"))
    values = {
        (sample.name.removeprefix("pointsman_event_loop_"), sample.labels.get("le", "")): sample.value
        for family in families
        if family.name.startswith("pointsman_event_loop")
        for sample in family.samples
    }
    looks = int(values["lag_seconds_count", ""])
    return Loop(int(values["tasks", ""]), values["longest_lag_seconds", ""], looks, looks - int(values["lag_seconds_bucket", str(STALL_S)]))


@dataclass(slots=True)
class Watch:
    """Looks every `every_s` seconds until it is cancelled, in a thread, so that the load beside it isn't held up."""

    pids: Mapping[str, int]
    metrics: Mapping[str, str]
    every_s: float
    looks: list[Look] = field(default_factory=list)

    async def keep(self) -> None:
        """See the class."""
        while True:
            self.looks.append(await asyncio.to_thread(look, self.pids, self.metrics))
            await asyncio.sleep(self.every_s)
