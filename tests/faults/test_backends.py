"""The weak backend fails in every way it can, and strong answers on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.support.faults.bars import check
from tests.support.faults.measure import Row, load, under_load
from tests.support.faults.stack import Stack

_AFTER_FALLBACK = {"FALLBACK_CAPPED"}
_FAULTS = {
    "refusing": ("backend refuses connections", {"BACKEND_CUT"}),
    "slow": ("backend slower than its timeout", set[str]()),
    "resetting": ("backend resets mid-answer", {"BACKEND_CUT"}),
    "limited": ("backend answers 429, Retry-After 1", {"BACKEND_RATE_LIMITED"}),
    "failing": ("backend answers 500 at 30 %", set[str]()),
}


@asynccontextmanager
async def _weak_is(stack: Stack, fault: str) -> AsyncIterator[None]:
    stack.tell_weak(fault)
    try:
        yield
    finally:
        stack.tell_weak("none")


@pytest.mark.parametrize("fault", _FAULTS)
async def test_a_failing_backend_costs_its_own_requests_at_most_a_typed_error(stack: Stack, rows: list[Row], fault: str) -> None:
    """Weak's requests go to strong as far as the cap allows; strong's notice nothing."""
    name, errors = _FAULTS[fault]
    row = await under_load(name, _weak_is(stack, fault), stack.pids, load(stack.rest, stack.grpc))
    rows.append(row)
    check(row, errors | _AFTER_FALLBACK)
    assert stack.metric("pointsman_requests_in_progress") == 0
