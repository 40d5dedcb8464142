"""The clock of the gateway and of both controllers jumps an hour, as libfaketime has it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.faults.bars import check
from tests.support.faults.measure import Row, load, under_load
from tests.support.faults.stack import Stack, running_stack

_LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
_HOUR = 3600


@pytest.fixture(scope="module")
def offset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """How far the clock is off, as libfaketime reads it once a second."""
    file = tmp_path_factory.mktemp("clock") / "offset"
    file.write_text("+0\n")
    return file


@pytest.fixture(scope="module")
def faked(offset: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack on that clock. The monotonic one is the machine's: it doesn't jump."""
    variables = {
        "LD_PRELOAD": str(_LIBRARIES[0]),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        # Else libfaketime takes waits by the monotonic clock for waits by the other one, and gRPC's threads spin.
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        "NO_FAKE_STAT": "1",
    }
    own = [f"{name}={value}" for name, value in variables.items()]
    with running_stack(tmp_path_factory.mktemp("stack"), services_prefix=["env", *own]) as stack:
        yield stack


def _set(offset: Path, seconds: int) -> None:
    offset.write_text(f"{seconds:+d}\n")


def _off_by(log: Path) -> timedelta:
    """Of the last line of a service's log."""
    last = json.loads(log.read_text().splitlines()[-1])
    return datetime.fromisoformat(last["timestamp"]) - datetime.now(UTC)


@pytest.mark.skipif(not _LIBRARIES, reason="libfaketime isn't installed (Debian: faketime)")
@pytest.mark.parametrize("seconds", [_HOUR, -_HOUR])
async def test_a_clock_that_jumps_costs_nothing(faked: Stack, offset: Path, rows: list[Row], seconds: int) -> None:
    """And back again: deadlines, breakers and limits are by the monotonic clock."""
    seen: list[timedelta] = []

    @asynccontextmanager
    async def jumped() -> AsyncIterator[None]:
        _set(offset, seconds)
        try:
            yield
            seen.extend([_off_by(faked.folder / "gateway.log"), _off_by(faked.folder / "controller-1.log")])
        finally:
            _set(offset, 0)

    row = await under_load(f"clock jumps {seconds / _HOUR:+.0f} h, and back", jumped(), faked.pids, load(faked.rest, faked.grpc))
    rows.append(row)
    check(row, set(), strong_too=True)
    assert not row.sums.errors
    assert all(abs(each - timedelta(seconds=seconds)) < timedelta(seconds=60) for each in seen)
