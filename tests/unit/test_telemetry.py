"""What a log line is made of, and what counting finds again."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from prometheus_client import CollectorRegistry, Counter

from pointsman.runtime import telemetry
from pointsman.runtime.metrics import remembering
from pointsman.runtime.settings import LogSettings
from pointsman.runtime.telemetry import configure_logging


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
