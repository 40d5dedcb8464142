"""`pointsman up --json`: an object a line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pointsman.cli.announcement import addresses
from pointsman.cli.children import Child, ChildSpec, State
from pointsman.cli.views import JsonView
from pointsman.runtime.settings import Settings


async def never() -> str:
    """Not asked here."""
    raise AssertionError


def test_each_event_is_an_object_on_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a service, of all, or a message; a service that died has the last lines of its log."""
    log = tmp_path / "log"
    log.write_text("one\ntwo\n")
    view = JsonView(addresses(Settings()))
    view.said("logs: x")
    view.changed(Child(ChildSpec("gateway", ["x"], never), log, State.READY, took_s=1.23456))
    view.changed(Child(ChildSpec("gateway", ["x"], never), log, State.DIED, "killed by signal 9"))
    view.all_ready("Ready\nTry:", 2.0)
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [
        {"event": "message", "message": "logs: x"},
        {"event": "service", "service": "gateway", "state": "ready", "detail": "", "seconds": 1.235},
        {"event": "service", "service": "gateway", "state": "died", "detail": "killed by signal 9", "log": "one\ntwo"},
        {"event": "ready", "seconds": 2.0, "rest": "http://127.0.0.1:6060/v1", "grpc": "127.0.0.1:50051"},
    ]
