"""The short form of `make test-faults`: the same load, the same bars, several faults at once."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.faults.bars import check
from tests.support.faults.measure import load, under_load
from tests.support.faults.stack import running_stack
from tests.support.faults.vanishing import vanished


async def test_a_failing_backend_a_killed_controller_and_vanishing_clients_cost_typed_errors_at_most(tmp_path: Path) -> None:
    """Fifty callers of every kind; nothing is lost, late, spliced or doubled, and all is well again by itself."""
    with running_stack(tmp_path, open_s=1) as stack:
        killed = stack.pid("controller-1")

        @asynccontextmanager
        async def failing() -> AsyncIterator[None]:
            async with vanished(stack.ports.rest, stack.grpc, 50):
                stack.tell_weak("resetting")
                os.kill(killed, signal.SIGKILL)
            yield
            stack.tell_weak("none")

        row = await under_load("several at once", failing(), stack.pids, load(stack.rest, stack.grpc), lasts_s=2)
        check(row, {"BACKEND_CUT", "BACKEND_UNREACHABLE", "FALLBACK_CAPPED", "UNAVAILABLE"}, strong_too=True)
        assert row.sums.errors["BACKEND_CUT"] > 0
        assert stack.pid("controller-1") not in (0, killed)
        assert (stack.metric("pointsman_requests_in_progress"), stack.in_progress(), stack.weak_state()["open"]) == (0, 0, 0)
