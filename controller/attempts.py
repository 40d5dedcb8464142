"""Calls to backends: as a receipt has them, and as a breaker hears of them."""

from __future__ import annotations

from time import monotonic
from typing import Final

from controller.backends import Answer
from controller.breaker import Permit
from controller.candidates import Candidate
from controller.retrying import BreakerOpen, is_unwell
from controller.spans import note_usage
from pointsman.runtime.errors import BackendError, error_name
from pointsman.runtime.tracing import NO_SPAN, ActiveSpan
from pointsman.v1 import routing_pb2

BREAKER_OPEN: Final = "BREAKER_OPEN"
"""The `error` of an attempt that an open breaker spared."""


class Attempt:
    """One call, from before it is made until its answer is closed: `answered` or `failed`, then `close`."""

    def __init__(self, receipt: routing_pb2.Receipt, candidate: Candidate, span: ActiveSpan = NO_SPAN) -> None:
        """`span` is ended with it."""
        self._begun = monotonic()
        self._receipt = receipt
        self._span = span
        self._timings = receipt.timings
        self._noted = receipt.attempts.add(backend=candidate.backend, tier=candidate.tier)
        self._answer: Answer | None = None
        self.permit: Permit | None = None
        """The breaker's leave, where the backend has one."""

    def answered(self, answer: Answer) -> None:
        """Its headers are there."""
        self._answer = answer
        self._noted.http_status = answer.status
        self._span.note(http__response__status_code=answer.status)
        self._noted.elapsed_s = self._timings.first_byte_s = monotonic() - self._begun
        if self.permit:
            self.permit.succeeded()
            # A stream that breaks off is told to its reader as its last event, and to nobody else.
            answer.lost = self.permit.failed

    def failed(self, error: BaseException) -> None:
        """There is no answer, or it broke off, or whoever asked has gone."""
        noted = self._noted
        noted.error = BREAKER_OPEN if isinstance(error, BreakerOpen) else error_name(error)
        noted.elapsed_s = noted.elapsed_s or monotonic() - self._begun
        self._span.fail(noted.error)
        if not isinstance(error, BackendError):
            return
        noted.http_status = noted.http_status or error.answered
        if self.permit:
            if is_unwell(error):
                self.permit.failed()
            self.permit.succeeded()

    async def close(self) -> None:
        """It is over, whatever became of it."""
        if self.permit:
            self.permit.released()
        try:
            if self._answer:
                await self._answer.close()
        finally:
            if self._span is not NO_SPAN:
                note_usage(self._span, self._receipt)
                self._span.end()
