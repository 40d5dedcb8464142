"""What is said of each request."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

import pytest
import structlog
from structlog.testing import capture_logs

from gateway.observer import Observation, Observer


@pytest.fixture(params=[logging.DEBUG, logging.INFO], ids=["debug", "info"])
def level(request: pytest.FixtureRequest) -> Iterator[int]:
    """From which on lines are written."""
    configured = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(request.param))
    yield request.param
    structlog.configure(**configured)


@pytest.mark.parametrize(
    ("seen", "quiet"),
    [
        (Observation("rest", "POST", "1", "200", strategy="mf"), False),
        (Observation("rest", "POST", "1", "404", error="NOT_FOUND"), False),
        (Observation("rest", "POST", "1", "429", error="OVERLOADED"), True),
        (Observation("rest", "GET", "1", "200", is_probe=True), True),
    ],
    ids=["an answer", "an error", "a refusal", "a probe"],
)
def test_a_request_has_its_line_and_what_would_drown_the_others_has_it_at_debug(level: int, seen: Observation, quiet: bool) -> None:
    """Counted are all, once they have ended."""
    observer = Observer()
    with capture_logs() as logs, contextlib.suppress(ValueError), observer.watching(seen):
        assert observer.registry.get_sample_value("pointsman_gateway_requests_in_progress", {"protocol": "rest"}) == 1
        raise ValueError
    facts = {name: getattr(seen, name) for name in ("strategy", "error") if getattr(seen, name)}
    told = [{name: line[name] for name in ("event", "log_level", "request_id", "status", *facts)} for line in logs]
    line = {"event": "request", "log_level": "debug" if quiet else "info", "request_id": "1", "status": seen.status, **facts}
    assert told == ([] if quiet and level == logging.INFO else [line])
    assert observer.registry.get_sample_value("pointsman_gateway_requests_in_progress", {"protocol": "rest"}) == 0
    counted = {"protocol": "rest", "endpoint": "unmatched", "method": seen.method, "status": f"{seen.status[0]}xx"}
    assert observer.registry.get_sample_value("pointsman_gateway_requests_total", counted) == 1
