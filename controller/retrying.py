"""What a backend's failure means: whether it is tried again, and whether the backend is unwell."""

from __future__ import annotations

import random

from pointsman.runtime.backend_settings import BackendSettings
from pointsman.runtime.errors import BackendCut, BackendError, BackendFailed, BackendTimeout, BackendUnreachable


class BreakerOpen(BackendUnreachable):
    """The backend wasn't called."""


def wait_before_retry(error: BackendError, own: BackendSettings, retries: int) -> float | None:
    """Seconds to wait before the backend is tried again after so many retries; None where it isn't.

    Full jitter: anything from 0 to a bound that doubles. A Retry-After counts where it is longer.
    """
    lost_unanswered = isinstance(error, BackendUnreachable) and not isinstance(error, BreakerOpen)
    if retries >= own.retries or not (lost_unanswered or error.answered in own.retry_statuses):
        return None
    if error.wait_s is not None and error.wait_s > own.max_retry_after_s:
        return None
    backoff = random.uniform(0, min(own.max_backoff_s, own.backoff_s * 2**retries))
    return max(backoff, error.wait_s or 0.0)


def is_unwell(error: BackendError) -> bool:
    """A rate limit, a refused key and what a request was refused for are the answers of a sound backend."""
    return isinstance(error, BackendUnreachable | BackendTimeout | BackendFailed | BackendCut) and not 0 < error.answered < 500
