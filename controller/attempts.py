"""Calls to backends as a receipt has them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from controller.candidates import Candidate
from controller.retrying import BreakerOpen
from pointsman.runtime.errors import BackendError, error_name
from pointsman.v1 import routing_pb2

BREAKER_OPEN: Final = "BREAKER_OPEN"
"""The `error` of an attempt that an open breaker spared."""


@contextmanager
def noted(receipt: routing_pb2.Receipt, candidate: Candidate) -> Iterator[Callable[[int], None]]:
    """Notes one call in the receipt: `answered(status)` at its first byte, or the error that came instead."""
    clock = asyncio.get_running_loop().time
    begun = clock()
    attempt = receipt.attempts.add(backend=candidate.backend, tier=candidate.tier)

    def answered(status: int) -> None:
        attempt.http_status = status
        attempt.elapsed_s = receipt.timings.first_byte_s = clock() - begun

    try:
        yield answered
    except BaseException as error:
        attempt.error = BREAKER_OPEN if isinstance(error, BreakerOpen) else error_name(error)
        attempt.elapsed_s = attempt.elapsed_s or clock() - begun
        if isinstance(error, BackendError) and not attempt.http_status:
            attempt.http_status = error.answered
        raise
