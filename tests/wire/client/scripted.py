"""A RouteService that does as it is told, on a real port, and remembers what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn

import grpc
from google.protobuf.message import Message

from pointsman.runtime.error_forms import DETAILS_KEY, to_status
from pointsman.runtime.errors import BackendCut, PointsmanError
from pointsman.v1 import calibration_pb2, chat_pb2, route_service_pb2_grpc, routing_pb2
from pointsman.v1 import route_service_pb2 as pb

REQUEST_ID = "request-1"
DECISION = routing_pb2.Decision(
    strategy="mf",
    threshold=0.5,
    strong_win_rate=0.625,
    tier=routing_pb2.TIER_STRONG,
    model="big",
    reason=routing_pb2.REASON_COMPARISON,
    pair="default",
)
RECEIPT = routing_pb2.Receipt(
    request_id=REQUEST_ID, decision=DECISION, usage=routing_pb2.Usage(prompt_tokens=3, completion_tokens=2), version="0.1.0"
)


@dataclass
class ScriptedRouteService(route_service_pb2_grpc.RouteServiceServicer):
    """`failures` are met by the next calls, one each: an error of ours with its details, or a bare gRPC code without."""

    failures: list[PointsmanError | grpc.StatusCode] = field(default_factory=list)
    cut: bool = False
    """Whether a stream ends in an error after its first pieces."""
    hangs: bool = False
    """Whether a call sends its first piece, if it streams, and no more."""
    takes_s: float = 0
    """Seconds that a whole chat takes."""
    text: tuple[str, ...] = ("Pa", "ris")
    opinions: list[routing_pb2.Opinion] = field(default_factory=list)
    """What is thought of every prompt; else, nothing but the names of those who are asked."""
    calibrations: list[calibration_pb2.Calibration] = field(default_factory=list)
    """Of mf."""
    prompt_failures: dict[str, PointsmanError] = field(default_factory=dict)
    """How a comparison of a prompt fails, each time."""
    requests: list[Message] = field(default_factory=list)
    deadlines: list[float] = field(default_factory=list)
    """Seconds that each call had left on arrival."""
    authorizations: list[str] = field(default_factory=list)
    """What each call said of who asks; empty where it said nothing."""
    metadata: list[dict[str, str]] = field(default_factory=list)
    """All that came with each call."""
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a hanging call's caller has gone."""

    async def Route(self, request: pb.RouteRequest, context: Any) -> pb.RouteResponse:
        await self._met(request, context)
        return pb.RouteResponse(decision=DECISION, receipt=RECEIPT)

    async def RouteBatch(self, request: pb.RouteBatchRequest, context: Any) -> pb.RouteBatchResponse:
        await self._met(request, context)
        return pb.RouteBatchResponse(results=[pb.RouteBatchResponse.Result(decision=DECISION) for _ in request.prompts])

    async def CompareStrategies(self, request: pb.CompareStrategiesRequest, context: Any) -> pb.CompareStrategiesResponse:
        await self._met(request, context)
        if failure := self.prompt_failures.get(request.prompt):
            await _fail(failure, context)
        opinions = self.opinions or [routing_pb2.Opinion(strategy=name) for name in request.strategies]
        return pb.CompareStrategiesResponse(opinions=opinions)

    async def ListStrategies(self, request: pb.ListStrategiesRequest, context: Any) -> pb.ListStrategiesResponse:
        await self._met(request, context)
        return pb.ListStrategiesResponse(
            strategies=[
                pb.Strategy(name="mf", ready=True, checkpoint="mf-minilm@sha256:0123456789ab", calibrations=self.calibrations),
                pb.Strategy(name="random", detail="no replica answers"),
            ],
            pairs=[pb.Pair(name="default", strong="big", weak="small")],
            policies=["support-bot"],
        )

    async def ChatCompletion(self, request: pb.ChatCompletionRequest, context: Any) -> pb.ChatCompletionResponse:
        await self._met(request, context)
        await asyncio.sleep(self.takes_s)
        message = chat_pb2.ChatMessage(role="assistant", content="".join(self.text))
        return pb.ChatCompletionResponse(id="answer-1", model="big", choices=[chat_pb2.Choice(message=message)], receipt=RECEIPT)

    async def StreamChatCompletion(
        self, request: pb.StreamChatCompletionRequest, context: Any
    ) -> AsyncIterator[pb.StreamChatCompletionResponse]:
        await self._met(request, context, may_hang=False)
        for piece in self.text:
            # The second choice's text isn't the first's.
            deltas = [chat_pb2.ChoiceDelta(content=piece), chat_pb2.ChoiceDelta(index=1, content="x")]
            yield pb.StreamChatCompletionResponse(chunk=pb.ChatCompletionChunk(id="answer-1", model="big", deltas=deltas))
            if self.hangs:
                await self._hang()
        receipt = routing_pb2.Receipt()
        receipt.CopyFrom(RECEIPT)
        if self.cut:
            yield pb.StreamChatCompletionResponse(error=to_status(BackendCut("The backend hung up.", backend="strong"), REQUEST_ID))
            receipt.error = "BACKEND_CUT"
        yield pb.StreamChatCompletionResponse(receipt=receipt)

    async def RelayWhole(self, request: pb.RelayWholeRequest, context: Any) -> pb.RelayWholeResponse:
        raise NotImplementedError

    async def Relay(self, request: pb.RelayRequest, context: Any) -> AsyncIterator[pb.RelayResponse]:
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "the client has no use for it")
        yield pb.RelayResponse()

    async def _met(self, request: Message, context: Any, *, may_hang: bool = True) -> None:
        self.requests.append(request)
        self.deadlines.append(context.time_remaining())
        self.metadata.append(dict(context.invocation_metadata()))
        self.authorizations.append(str(self.metadata[-1].get("authorization", "")))
        if self.failures:
            await _fail(self.failures.pop(0), context)
        if self.hangs and may_hang:
            await self._hang()

    async def _hang(self) -> NoReturn:
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()
        raise AssertionError("nobody sets that event")


async def _fail(failure: PointsmanError | grpc.StatusCode, context: Any) -> NoReturn:
    if isinstance(failure, PointsmanError):
        status = to_status(failure, REQUEST_ID)
        code = next(code for code in grpc.StatusCode if code.value[0] == status.code)
        await context.abort(code, status.message, trailing_metadata=((DETAILS_KEY, status.SerializeToString()),))
    await context.abort(failure, "no details")
    raise AssertionError("abort raises")


@asynccontextmanager
async def serve(service: ScriptedRouteService, credentials: grpc.ServerCredentials | None = None) -> AsyncIterator[str]:
    """The service's address for the length of the block."""
    server = grpc.aio.server()
    route_service_pb2_grpc.add_RouteServiceServicer_to_server(service, server)
    port = server.add_secure_port("127.0.0.1:0", credentials) if credentials else server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(grace=0)
