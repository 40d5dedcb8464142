"""The line that is written of every request: what structlog would have written, and by structlog where lines are for people."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any, Literal

import pytest
import structlog

from pointsman.runtime import telemetry
from pointsman.runtime.settings import LogSettings
from pointsman.runtime.telemetry import configure_logging, info_line


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(telemetry._Lines, "of", None)
    root, configured = logging.getLogger(), structlog.get_config()
    handlers, level = list(root.handlers), root.level
    yield
    logging.basicConfig(handlers=handlers, level=level, force=True)
    structlog.configure(**configured)


FACTS: dict[str, Any] = {"request_id": "canary", "caller": None, "attempts": ["weak 200"], "name": "half \ud83d", "seconds": 0.25}


def test_it_is_structlogs_line_but_for_the_moment(capsys: pytest.CaptureFixture[str]) -> None:
    """The same keys in the same order, and values that JSON has no place for as structlog has them."""
    configure_logging("a-service", LogSettings(format="json"))
    structlog.get_logger().info("routed", **FACTS, kind=int)
    info_line("routed", **FACTS, kind=int)
    theirs, ours = (list(json.loads(line).items()) for line in capsys.readouterr().err.splitlines())
    assert [(key, value) for key, value in ours if key != "timestamp"] == [(key, value) for key, value in theirs if key != "timestamp"]
    assert [key for key, _ in ours] == [key for key, _ in theirs]
    assert dict(theirs)["timestamp"][:16] <= dict(ours)["timestamp"][:16]
    assert len(dict(ours)["timestamp"]) == len("2026-11-30T12:00:00.000000Z")


def test_it_is_written_by_structlog_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("a-service", LogSettings(format="console"))
    info_line("routed", request_id="canary")
    line = capsys.readouterr().err
    assert "routed" in line
    assert not line.startswith("{")


@pytest.mark.parametrize("level", ["warning", "error"])
def test_nothing_is_written_where_only_worse_is(capsys: pytest.CaptureFixture[str], level: Literal["warning", "error"]) -> None:
    configure_logging("a-service", LogSettings(format="json", level=level))
    info_line("routed", request_id="canary")
    assert not capsys.readouterr().err
