"""Progress is shown late, on a terminal, and leaves nothing behind."""

from __future__ import annotations

import threading
from io import StringIO

import pytest
from rich.console import Console

from pointsman.cli import progress


@pytest.mark.parametrize(("terminal", "slow", "shown"), [(True, True, ["start", "stop"]), (True, False, []), (False, True, [])])
def test_only_slow_work_on_a_terminal_shows(monkeypatch: pytest.MonkeyPatch, terminal: bool, slow: bool, shown: list[str]) -> None:
    """What was started is stopped, and nothing else is."""
    monkeypatch.setattr(progress, "_QUIET_S", 0.01 if slow else 30.0)
    begun, seen = threading.Event(), list[str]()

    def start() -> None:
        seen.append("start")
        begun.set()

    with progress._late(start, lambda: seen.append("stop"), Console(file=StringIO(), force_terminal=terminal)):
        begun.wait(5 if terminal and slow else 0.05)
    assert seen == shown
