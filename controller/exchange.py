"""One routed request that a backend answers: its answer as it passes, and its receipt as it grows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from time import monotonic

import orjson

from controller.backends import Answer
from controller.estimate import answered_characters, estimated
from controller.usage import UsageWatch, cost_of, usage_of
from pointsman.runtime.backend_settings import BackendSettings
from pointsman.runtime.errors import BackendFailed, PointsmanError, wire_form
from pointsman.v1 import routing_pb2


class Exchange:
    """The answer is read once: as `pieces` where it is a stream, else `whole`. The receipt is complete after that."""

    def __init__(
        self,
        receipt: routing_pb2.Receipt,
        answer: Answer,
        *,
        strong: str,
        backends: Mapping[str, BackendSettings],
        begun: float,
        max_bytes: int,
        asked_characters: Callable[[], int] = lambda: 0,
    ) -> None:
        """`max_bytes` bounds an answer that isn't a stream; from `asked_characters`, the request's, tokens are estimated where the
        backend counts none."""
        self.receipt = receipt
        self.answer = answer
        self._strong = strong
        self._backends = backends
        self._begun = begun
        self._max_bytes = max_bytes
        self._asked_characters = asked_characters

    @property
    def decision(self) -> routing_pb2.Decision:
        """What was decided."""
        return self.receipt.decision

    async def pieces(self) -> AsyncIterator[bytes]:
        """The stream's bytes as they come. Raises a `BackendError` where it is cut."""
        watch = UsageWatch()
        try:
            while piece := await self.answer.read():
                watch.feed(piece)
                yield piece
        finally:
            self._finish(watch.usage, lambda: watch.characters)

    async def whole(self) -> bytes:
        """All bytes of an answer that isn't a stream. Raises `BackendFailed` where it is too long or not what it should be."""
        name, parts, length = self.answer.backend, list[bytes](), 0
        while piece := await self.answer.read():
            parts.append(piece)
            length += len(piece)
            if length > self._max_bytes:
                said = f"The backend {name} answered with more than {self._max_bytes:,} bytes (controller.max_response_bytes)."
                raise BackendFailed(said, backend=name)
        body = b"".join(parts)
        checked = self._checked(body)
        self._finish(usage_of(checked), lambda: answered_characters(checked))
        return body

    def fail(self, error: PointsmanError) -> None:
        """The stream began and was cut."""
        self.receipt.error = self.receipt.attempts[-1].error = wire_form(error).reason

    def _checked(self, body: bytes) -> object:
        """The answer's JSON; only a success must be JSON, since a refusal passes through unchanged, and what is packed isn't unpacked."""
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            if not 200 <= self.answer.status < 300 or self.answer.is_encoded:
                return None
        name = self.answer.backend
        what = f"answered {self.answer.status} with something that isn't JSON; is backends.{name}.base_url an OpenAI-compatible API's?"
        raise BackendFailed(f"The backend {name} {what}", backend=name)

    def _finish(self, usage: routing_pb2.Usage | None, answered_characters: Callable[[], int]) -> None:
        self.receipt.timings.total_s = monotonic() - self._begun
        if usage is None:
            if not 200 <= self.answer.status < 300:
                return
            usage = estimated(self._asked_characters(), answered_characters())
        self.receipt.usage.CopyFrom(usage)
        if cost := cost_of(usage, self.answer.backend, self._strong, self._backends):
            self.receipt.cost.CopyFrom(cost)
