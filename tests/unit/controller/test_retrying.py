"""When a backend is tried again, and how long the wait is."""

from __future__ import annotations

import pytest

from controller.retrying import BreakerOpen, wait_before_retry
from pointsman.runtime.backend_settings import BackendSettings
from pointsman.runtime.errors import BackendError, BackendFailed, BackendRateLimited, BackendTimeout, BackendUnreachable

BACKEND = BackendSettings(base_url="http://x/v1", model="m", retries=8, backoff_s=0.25, max_backoff_s=2, max_retry_after_s=5)


def _answered(error: BackendError, status: int, wait_s: float | None = None) -> BackendError:
    error.answered, error.wait_s = status, wait_s
    return error


@pytest.mark.parametrize(("retries", "bound"), [(0, 0.25), (1, 0.5), (3, 2.0), (7, 2.0)])
def test_the_wait_is_anything_up_to_a_bound_that_doubles(retries: int, bound: float) -> None:
    """Full jitter, so that callers who failed together don't come back together."""
    waits = [wait_before_retry(BackendUnreachable("x"), BACKEND, retries) for _ in range(2000)]
    seconds = [wait for wait in waits if wait is not None]
    assert len(seconds) == 2000
    assert 0 <= min(seconds) < bound / 10
    assert bound * 0.9 < max(seconds) <= bound


def test_a_retry_after_is_the_least_that_is_waited() -> None:
    """Up to its limit; past it there is no retry."""
    assert wait_before_retry(_answered(BackendRateLimited("x"), 429, 4.0), BACKEND, 0) == 4.0
    assert wait_before_retry(_answered(BackendRateLimited("x"), 429, 5.1), BACKEND, 0) is None


@pytest.mark.parametrize(
    "error",
    [BackendTimeout("x"), BreakerOpen("x"), BackendFailed("x"), _answered(BackendFailed("x"), 500), _answered(BackendFailed("x"), 302)],
)
def test_what_is_not_safe_or_no_use_is_not_tried_again(error: BackendError) -> None:
    """Timeouts, an open breaker, and answers that the settings don't list."""
    assert wait_before_retry(error, BACKEND, 0) is None


def test_there_are_no_more_retries_than_allowed() -> None:
    """Counted from 0."""
    assert wait_before_retry(BackendUnreachable("x"), BACKEND, 7) is not None
    assert wait_before_retry(BackendUnreachable("x"), BACKEND, 8) is None
