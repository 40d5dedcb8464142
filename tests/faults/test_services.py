"""What happens to the services themselves: a controller dies, names can't be looked up, the disk is full, a backend hangs."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.faults.bars import check
from tests.support.faults.measure import Row, load, under_load
from tests.support.faults.stack import Hosts, Stack

_DNS_CACHE_S = 11  # the controller's HTTP client keeps an address for 10 s


async def test_a_controller_that_is_killed_is_replaced_by_the_other(stack: Stack, rows: list[Row]) -> None:
    """And comes back."""
    killed = stack.pid("controller-1")

    @asynccontextmanager
    async def dead() -> AsyncIterator[None]:
        os.kill(killed, signal.SIGKILL)
        yield

    row = await under_load("1 of 2 controllers killed", dead(), stack.pids, load(stack.rest, stack.grpc), heals_itself=True)
    rows.append(row)
    check(row, {"UNAVAILABLE"}, strong_too=True)
    assert stack.pid("controller-1") not in (0, killed)


async def test_a_backend_whose_name_is_gone_costs_its_own_requests_at_most(stack: Stack, rows: list[Row], hosts: Hosts | None) -> None:
    """The connections to it are lost as well, or they would go on being used."""
    if hosts is None:
        pytest.skip("this machine allows no mount namespace, which a hosts file of the controllers' own needs")

    @asynccontextmanager
    async def nameless() -> AsyncIterator[None]:
        hosts.is_there(False)
        await asyncio.sleep(_DNS_CACHE_S)
        stack.tell_weak("refusing")
        stack.tell_weak("none")
        try:
            yield
        finally:
            hosts.is_there(True)

    row = await under_load("DNS gone", nameless(), stack.pids, load(stack.rest, stack.grpc, pair="named"))
    rows.append(row)
    check(row, {"FALLBACK_CAPPED", "BACKEND_CUT"})


async def test_a_backend_that_hangs_and_comes_back_is_found_out_by_its_breaker(stack: Stack, rows: list[Row]) -> None:
    """Every caller's deadline is 3 s, and the backend's own timeout a minute."""
    states = list[float]()

    @asynccontextmanager
    async def hung() -> AsyncIterator[None]:
        stack.tell_weak("hanging")
        yield
        states.append(stack.metric('pointsman_backend_breaker{backend="weak_patient"}'))
        stack.tell_weak("none")

    running = load(stack.rest, stack.grpc, pair="patient", deadline_s=3)
    row = await under_load("backend hangs for 10 s", hung(), stack.pids, running, lasts_s=10)
    rows.append(row)
    check(row, {"DEADLINE_EXCEEDED", "FALLBACK_CAPPED"})
    assert states[0] >= 2
    assert stack.metric('pointsman_backend_breaker{backend="weak_patient"}') == 0


async def test_a_full_disk_under_the_logs_costs_log_lines_alone(stack: Stack, rows: list[Row]) -> None:
    """Every file's limit is what it has already: writes fail as on a full disk, until there is room again."""
    files = [stack.folder / f"{name}.log" for name in ("gateway", "controller-1")] + [stack.folder / "decisions-1.jsonl"]
    grown: dict[str, int] = {}

    @asynccontextmanager
    async def full() -> AsyncIterator[None]:
        pids = [pid for each in stack.pids().values() for pid in each]
        for pid in pids:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        before = _sizes(files)
        try:
            yield
            grown.update({name: size - before[name] for name, size in _sizes(files).items()})
        finally:
            for pid in pids:
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    row = await under_load("disk full under all logs", full(), stack.pids, load(stack.rest, stack.grpc))
    rows.append(row)
    check(row, set())
    assert set(grown.values()) == {0}
    assert stack.metric('pointsman_decision_log_dropped_total{why="disk"}') > 0
    assert _sizes(files)["decisions-1.jsonl"] > 0
    for line in files[-1].read_text().splitlines():
        json.loads(line)  # whole, also where the disk was full


def _sizes(files: list[Path]) -> dict[str, int]:
    return {file.name: file.stat().st_size for file in files}
