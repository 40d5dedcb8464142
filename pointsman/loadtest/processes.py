"""CPU seconds and memory of services: of each process tree, all of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Used:
    """By one process and all that descend from it."""

    cpu_s: float
    rss_bytes: int
    processes: int


def used(pid: int) -> Used:
    """Since each process started; those that have ended count where their parent has waited for them.

    Raises `ProcessLookupError` where there is no such process.
    """
    if not psutil.pid_exists(pid):
        raise ProcessLookupError(f"There is no process {pid}.")
    cpu_s, rss, count = 0.0, 0, 0
    for process in _tree(pid):
        try:
            with process.oneshot():
                times = process.cpu_times()
                rss += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
        cpu_s += times.user + times.system + times.children_user + times.children_system
        count += 1
    return Used(cpu_s, rss, count)


def _tree(pid: int) -> Iterator[psutil.Process]:
    try:
        root = psutil.Process(pid)
        yield root
        yield from root.children(recursive=True)
    except psutil.NoSuchProcess:
        return
