"""What a log line is made of, that of every request too, and what counting finds again."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any, Literal

import pytest
import structlog
from prometheus_client import CollectorRegistry, Counter

from pointsman.runtime import telemetry
from pointsman.runtime.metrics import remembering
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


def test_a_line_names_its_service_and_is_json_whatever_it_holds(capsys: pytest.CaptureFixture[str]) -> None:
    """Half a surrogate pair, which a header may bring, and an exception."""
    configure_logging("a-service", LogSettings(format="json"))
    try:
        raise ValueError("a mistake")
    except ValueError:
        structlog.get_logger().warning("told", name="half \ud83d", exc_info=True)
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["service"], line["level"], line["name"]) == ("told", "a-service", "warning", "half \ud83d")
    assert line["timestamp"].endswith("Z")
    assert line["exception"].endswith("ValueError: a mistake")


def test_labels_are_found_again() -> None:
    """The same child, and the numbers in it."""
    registry = CollectorRegistry()
    counter = remembering(Counter("calls", "Calls.", ["name"], registry=registry))
    for _ in range(2):
        counter.labels("one").inc()
    assert counter.labels("one") is counter.labels("one")
    assert (registry.get_sample_value("calls_total", {"name": "one"}), registry.get_sample_value("calls_total", {"name": "two"})) == (
        2,
        None,
    )


FACTS: dict[str, Any] = {"request_id": "canary", "caller": None, "attempts": ["weak 200"], "name": "half \ud83d", "seconds": 0.25}


def test_a_requests_line_is_structlogs_but_for_the_moment(capsys: pytest.CaptureFixture[str]) -> None:
    """The same keys in the same order, and values that JSON has no place for as structlog has them."""
    configure_logging("a-service", LogSettings(format="json"))
    structlog.get_logger().info("routed", **FACTS, kind=int)
    info_line("routed", **FACTS, kind=int)
    theirs, ours = (list(json.loads(line).items()) for line in capsys.readouterr().err.splitlines())
    assert [(key, value) for key, value in ours if key != "timestamp"] == [(key, value) for key, value in theirs if key != "timestamp"]
    assert [key for key, _ in ours] == [key for key, _ in theirs]
    assert dict(theirs)["timestamp"][:16] <= dict(ours)["timestamp"][:16]
    assert len(dict(ours)["timestamp"]) == len("2026-11-30T12:00:00.000000Z")


def test_a_requests_line_is_written_by_structlog_for_people(capsys: pytest.CaptureFixture[str]) -> None:
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
