"""What came of a streamed answer: what the sync and the async client share of it."""

from __future__ import annotations

from pointsman.client.failures import AnswerCut, RouteError, from_status
from pointsman.client.messages import text_of
from pointsman.v1 import route_service_pb2 as pb
from pointsman.v1 import routing_pb2


class Streamed:
    """`receipt` is there once the stream has ended, `text_so_far` at any time."""

    def __init__(self, address: str) -> None:
        self.receipt: routing_pb2.Receipt | None = None
        self._address = address
        self._has_begun = False
        self._pieces: list[str] = []

    @property
    def text_so_far(self) -> str:
        """The first answer's text, as far as it has been read."""
        return "".join(self._pieces)

    def _noted(self, event: pb.StreamChatCompletionResponse) -> pb.StreamChatCompletionResponse:
        self._has_begun = True
        if event.HasField("receipt"):
            self.receipt = event.receipt
        elif piece := text_of(event.chunk.deltas):
            self._pieces.append(piece)
        return event

    def _failed(self, error: RouteError) -> RouteError:
        """How the call failed: where the answer had begun, with what came of it."""
        return AnswerCut.of(error, self.text_so_far, self._address) if self._has_begun else error

    def _cut(self, event: pb.StreamChatCompletionResponse) -> RouteError | None:
        return self._failed(from_status(event.error)) if event.HasField("error") else None
