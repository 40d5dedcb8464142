"""CPU that each process takes, and memory that it holds, while nothing happens: Ray's bookkeeping, above all."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

import psutil

from benchmarks.endurance.services import services

TITLE: Final = "What it takes while nothing happens"


@dataclass(frozen=True, slots=True)
class Taken:
    """By one process."""

    cpu_s: float
    rss_bytes: int


def add_options(parser: argparse.ArgumentParser) -> None:
    """Of this measurement."""
    parser.add_argument("--seconds", type=float, default=60, help="measured")
    parser.add_argument("--settle", type=float, default=20, help="seconds between ready and the measurement")


def measured(options: argparse.Namespace) -> list[str]:
    """The table."""
    begun = time.monotonic()
    with services() as running:
        ready_s = time.monotonic() - begun
        up = psutil.Process(running.product.process.pid)
        started = sum(each.cpu_s for each in _taken(up).values())
        time.sleep(options.settle)
        before, since = _taken(up), time.monotonic()
        time.sleep(options.seconds)
        after, seconds = _taken(up), time.monotonic() - since
    rows = {
        name: ((taken.cpu_s - before[name].cpu_s) * 1000 / seconds, taken.rss_bytes / 2**20)
        for name, taken in after.items()
        if name in before
    }
    lines = [
        f"`pointsman up` with the strategy random, {options.settle:g} s after it was ready, for {options.seconds:g} s. It was ready after"
        f" {ready_s:.1f} s, which took {started:.1f} s of CPU.",
        "",
        "| process | ms of CPU a second | RSS, MiB |",
        "|---|---|---|",
    ]
    every = {"all": (sum(cpu for cpu, _ in rows.values()), sum(rss for _, rss in rows.values())), **rows}
    return [*lines, *(f"| {name} | {cpu:.1f} | {rss:.0f} |" for name, (cpu, rss) in sorted(every.items(), key=lambda row: -row[1][0]))]


def named(words: list[str]) -> str:
    """What a process is, by its command line: Ray's title, the module or file that Python runs, or the program."""
    if words[0].startswith("ray::"):
        return words[0].strip()
    if "-m" in words:
        return words[words.index("-m") + 1]
    return PurePath(next((word for word in words if word.endswith(".py")), words[0])).name


def _taken(up: psutil.Process) -> Mapping[str, Taken]:
    """By name; those of one name are one."""
    found: dict[str, Taken] = {}
    for process in [up, *up.children(recursive=True)]:
        with suppress(psutil.Error):  # gone meanwhile
            name, cpu, memory = named(process.cmdline() or [process.name()]), process.cpu_times(), process.memory_info()
            so_far = found.get(name, Taken(0.0, 0))
            found[name] = Taken(so_far.cpu_s + cpu.user + cpu.system, so_far.rss_bytes + memory.rss)
    return found
