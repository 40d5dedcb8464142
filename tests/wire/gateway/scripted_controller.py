"""A controller that answers what a test says and remembers what it was asked: a sibling of the real one, on a real port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, cast

import grpc

from pointsman.runtime.decision_headers import decision_headers
from pointsman.runtime.error_forms import DETAILS_KEY, NO_RETRY, to_status
from pointsman.runtime.errors import PointsmanError, Unimplemented, wire_form
from pointsman.runtime.grpc_server import bind, build_server
from pointsman.runtime.peers import names_of_grpc_peer
from pointsman.runtime.tls import ServerTls
from pointsman.v1 import calibration_pb2, route_service_pb2, route_service_pb2_grpc, routing_pb2

Event = route_service_pb2.RelayResponse
Context = grpc.aio.ServicerContext[Any, Any]
Script = Callable[[route_service_pb2.RelayRequest, Context], Awaitable[None]]

DECISION = routing_pb2.Decision(
    strategy="mf",
    threshold=0.5,
    strong_win_rate=0.75,
    tier=routing_pb2.TIER_STRONG,
    model="big-model",
    reason=routing_pb2.REASON_COMPARISON,
)
RECEIPT = routing_pb2.Receipt(request_id="from-controller", decision=DECISION, version="1.2.3 ü")
STREAMING = b'{"stream": true}'
"""A body whose answer may be a stream; of any other it's asked for in one message."""
JSON = {"content-type": "application/json"}
SSE = {"content-type": "text/event-stream; charset=utf-8"}


def started(status: int = 200, headers: dict[str, str] | None = None) -> Event:
    """The first event."""
    listed = [route_service_pb2.Header(name=name, value=value) for name, value in (headers or JSON).items()]
    return Event(started=Event.Started(status=status, headers=listed, decision=DECISION))


def finished() -> Event:
    """The last event."""
    return Event(finished=Event.Finished(receipt=RECEIPT))


def plays(*events: Event | bytes | PointsmanError) -> Script:
    """A script that sends the events in order; a bare `bytes` is a piece, an error at the end fails the call."""

    async def script(request: route_service_pb2.RelayRequest, context: Context) -> None:
        for event in events:
            if isinstance(event, PointsmanError):
                await abort(context, event)
            else:
                await context.write(Event(bytes=event) if isinstance(event, bytes) else event)

    return script


def sends(pieces: Iterable[bytes], *, status: int = 200, headers: dict[str, str] | None = None) -> Script:
    """A script of a whole answer."""
    return plays(started(status, headers), *pieces, finished())


async def abort(context: Context, error: PointsmanError) -> None:
    """Fails the call as the real controller does."""
    status = to_status(error, "the-id")
    await context.abort(wire_form(error).grpc_code, error.message, ((DETAILS_KEY, status.SerializeToString()), NO_RETRY))


class _Collected:
    """A call's context whose writes make up one message."""

    def __init__(self, context: Context) -> None:
        self.answer = route_service_pb2.RelayWholeResponse()
        self._context = context

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    async def write(self, event: Event) -> None:
        match event.WhichOneof("event"):
            case "started":
                self.answer.started.CopyFrom(event.started)
            case "bytes":
                self.answer.body += event.bytes
                assert len(self.answer.body) < 64 << 20, "a script without an end, for a body that asks for no stream"
            case "error":
                code = next(code for code in grpc.StatusCode if code.value[0] == event.error.code)
                await self._context.abort(code, event.error.message, ((DETAILS_KEY, event.error.SerializeToString()),))
            case "finished":
                self.answer.receipt.CopyFrom(event.finished.receipt)


class ScriptedController(route_service_pb2_grpc.RouteServiceServicer):
    """Set `relay` (and `failure` for the other methods) before a request; read the rest after it."""

    def __init__(self) -> None:
        self.port = 0
        self.relay: Script = sends([b'{"ok": true}'])
        self.failure: PointsmanError | None = None
        self.dies_after_metadata = 0
        """So many calls of Route end as a dead controller's do, once their metadata is there."""
        self.strategies = [strategy("mf"), strategy("random")]
        self.policies: list[str] = []
        self.backends: list[str] = []
        self.requests: list[route_service_pb2.RelayRequest] = []
        self.metadata: list[dict[str, str | bytes]] = []
        self.time_remaining: list[float] = []
        self.peers: list[tuple[str, ...]] = []
        self.running = asyncio.Event()
        self.cancelled = asyncio.Event()

    def _remember(self, context: Context) -> None:
        self.metadata.append(dict(context.invocation_metadata() or ()))
        self.peers.append(names_of_grpc_peer(context))
        self.time_remaining.append(context.time_remaining() or 0.0)

    async def Relay(self, request: route_service_pb2.RelayRequest, context: Context) -> None:  # type: ignore[override]  # it writes to its stream
        self._remember(context)
        self.requests.append(request)
        self.running.set()
        try:
            await self.relay(request, context)
        except (asyncio.CancelledError, grpc.aio.BaseError):
            # The second is what a write that waits is told.
            self.cancelled.set()
            raise asyncio.CancelledError from None

    async def RelayWhole(self, request: route_service_pb2.RelayWholeRequest, context: Context) -> route_service_pb2.RelayWholeResponse:
        """What the script writes, in one message; an error event among it fails the call, since nothing has been sent before it."""
        whole = _Collected(context)
        await self.Relay(request.relay, cast(Context, whole))
        return whole.answer

    async def Route(self, request: route_service_pb2.RouteRequest, context: Context) -> route_service_pb2.RouteResponse:
        self._remember(context)
        if self.failure:
            await abort(context, self.failure)
        self.running.set()
        if request.prompt == "hang":
            await self._until_cancelled()
        await context.send_initial_metadata(
            [*decision_headers(DECISION), ("x-pointsman-request-id", str(self.metadata[-1]["x-pointsman-request-id"]))]
        )
        if self.dies_after_metadata:
            self.dies_after_metadata -= 1
            await context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
        return route_service_pb2.RouteResponse(decision=DECISION, receipt=RECEIPT)

    async def StreamChatCompletion(  # type: ignore[override]
        self, request: route_service_pb2.StreamChatCompletionRequest, context: Context
    ) -> None:
        self._remember(context)
        event = route_service_pb2.StreamChatCompletionResponse
        await context.send_initial_metadata(decision_headers(DECISION))
        for piece in (b"one", b"two"):
            await context.write(event(chunk=route_service_pb2.ChatCompletionChunk(raw=piece)))
        self.running.set()
        if request.body == b"hang":
            await self._until_cancelled()
        if self.failure:
            await abort(context, self.failure)
        await context.write(event(receipt=RECEIPT))

    async def ChatCompletion(
        self, request: route_service_pb2.ChatCompletionRequest, context: Context
    ) -> route_service_pb2.ChatCompletionResponse:
        return route_service_pb2.ChatCompletionResponse(id="1", body=request.body, receipt=RECEIPT)

    async def RouteBatch(self, request: route_service_pb2.RouteBatchRequest, context: Context) -> route_service_pb2.RouteBatchResponse:
        await abort(context, Unimplemented("RouteBatch comes later."))
        raise AssertionError

    async def CompareStrategies(
        self, request: route_service_pb2.CompareStrategiesRequest, context: Context
    ) -> route_service_pb2.CompareStrategiesResponse:
        await abort(context, Unimplemented("CompareStrategies comes later."))
        raise AssertionError

    async def _until_cancelled(self) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    async def ListStrategies(
        self, request: route_service_pb2.ListStrategiesRequest, context: Context
    ) -> route_service_pb2.ListStrategiesResponse:
        return route_service_pb2.ListStrategiesResponse(strategies=self.strategies, policies=self.policies, backends=self.backends)


def strategy(name: str, *, ready: bool = True, detail: str = "", shares: Iterable[float] = ()) -> route_service_pb2.Strategy:
    """A strategy as ListStrategies tells it."""
    thresholds = [calibration_pb2.CalibratedThreshold(strong_share=share, threshold=0.5) for share in shares]
    calibrations = [calibration_pb2.Calibration(name="c", strategy=name, thresholds=thresholds)] if thresholds else []
    return route_service_pb2.Strategy(name=name, ready=ready, detail=detail, calibrations=calibrations)


@asynccontextmanager
async def controller_on(controller: ScriptedController, port: int = 0, tls: ServerTls | None = None) -> AsyncIterator[ScriptedController]:
    """The controller on a real port, a free one for 0, in plain text without `tls`."""
    server = build_server(max_concurrent=100, max_body_bytes=16 << 20)
    route_service_pb2_grpc.add_RouteServiceServicer_to_server(controller, server)
    controller.port = bind(server, "127.0.0.1", port, tls)
    await server.start()
    try:
        yield controller
    finally:
        await server.stop(None)
