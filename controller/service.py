"""RouteService: the contract's messages in and out; everything that decides or calls is the Controller's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from controller.batch import checked
from controller.calibrations import calibration_of, live_of
from controller.chat_codec import chat_to_body, chunk_from_event, completion_from_json, messages_to_json
from controller.controller import Call, Controller
from controller.exchange import Exchange
from controller.generations import Generations
from controller.pins import Pins
from controller.record_book import RecordBook
from controller.rpc import Context, answers_errors, deadline_of, send_decision, write
from controller.scorers import Scorers
from controller.sse import events_of
from controller.watch import Watch
from pointsman.runtime.error_forms import to_status
from pointsman.runtime.errors import (
    BackendError,
    BackendRejected,
    DeadlineExceeded,
    InvalidBody,
    InvalidRequest,
    PointsmanError,
)
from pointsman.runtime.settings import Settings
from pointsman.v1 import error_pb2, route_service_pb2, route_service_pb2_grpc

_PIECE_BYTES = 1 << 20
_TypedRequest = route_service_pb2.ChatCompletionRequest | route_service_pb2.StreamChatCompletionRequest


class RouteService(route_service_pb2_grpc.RouteServiceServicer):
    """See protos/pointsman/v1/route_service.proto. Handlers write to the stream themselves, so that a cancellation reaches
    the backend's call at once."""

    def __init__(self, generations: Generations, scorers: Scorers, book: RecordBook, watch: Watch, pins: Pins) -> None:
        self._generations = generations
        self._pins = pins
        self._book = book
        self._watch = watch
        self._scorers = scorers

    @property
    def _settings(self) -> Settings:
        return self._generations.now.settings

    @property
    def _controller(self) -> Controller:
        return self._generations.now.controller

    @property
    def _timeout_s(self) -> float:
        return self._settings.controller.default_timeout_s

    @answers_errors
    async def Route(  # noqa: N802
        self, request: route_service_pb2.RouteRequest, context: Context, request_id: str
    ) -> route_service_pb2.RouteResponse:
        prompt = _prompt(request)
        receipt = await self._controller.route(request_id, request.routing, prompt, deadline_of(context, self._timeout_s))
        await send_decision(context, receipt.decision, request_id)
        return route_service_pb2.RouteResponse(decision=receipt.decision, receipt=receipt)

    @answers_errors
    async def RouteBatch(  # noqa: N802
        self, request: route_service_pb2.RouteBatchRequest, context: Context, request_id: str
    ) -> route_service_pb2.RouteBatchResponse:
        prompts, deadline = checked(request.prompts), deadline_of(context, self._timeout_s)
        found = await self._controller.route_batch(request_id, request.routing, prompts, deadline)
        result = route_service_pb2.RouteBatchResponse.Result
        return route_service_pb2.RouteBatchResponse(
            results=[
                result(error=to_status(each, request_id)) if isinstance(each, PointsmanError) else result(decision=each) for each in found
            ]
        )

    @answers_errors
    async def CompareStrategies(  # noqa: N802
        self, request: route_service_pb2.CompareStrategiesRequest, context: Context, request_id: str
    ) -> route_service_pb2.CompareStrategiesResponse:
        opinions = await self._controller.compare(request.strategies, _prompt(request), deadline_of(context, self._timeout_s))
        return route_service_pb2.CompareStrategiesResponse(opinions=opinions)

    @answers_errors
    async def ChatCompletion(  # noqa: N802
        self, request: route_service_pb2.ChatCompletionRequest, context: Context, request_id: str
    ) -> route_service_pb2.ChatCompletionResponse:
        body = _chat_body(request, stream=False)
        async with self._controller.exchange(self._call(request, body, context, request_id)) as exchange:
            if exchange.answer.is_stream:
                raise InvalidBody("The body asks for a stream, which StreamChatCompletion answers.", param="stream")
            answer = await exchange.whole()
            _refuse_rejection(exchange, answer)
            response = completion_from_json(answer, exchange.answer.backend)
            response.receipt.CopyFrom(exchange.receipt)
            await send_decision(context, exchange.decision, request_id)
            return response

    @answers_errors
    async def StreamChatCompletion(  # type: ignore[override]  # noqa: N802 (writes to its stream, so returns nothing)
        self, request: route_service_pb2.StreamChatCompletionRequest, context: Context, request_id: str
    ) -> None:
        body = _chat_body(request, stream=True)
        async with self._controller.exchange(self._call(request, body, context, request_id)) as exchange:
            if not exchange.answer.is_stream:
                answer = await exchange.whole()
                _refuse_rejection(exchange, answer)
                raise InvalidBody("The backend answered whole and not as a stream.", param="stream")
            await send_decision(context, exchange.decision, request_id)
            event, longest = route_service_pb2.StreamChatCompletionResponse, self._settings.controller.max_response_bytes
            try:
                async for raw in events_of(exchange.pieces(), exchange.answer.backend, longest):
                    await write(context, event(chunk=chunk_from_event(raw)))
            except (BackendError, DeadlineExceeded) as error:
                await write(context, event(error=_cut(exchange, error, request_id)))
            await write(context, event(receipt=exchange.receipt))

    @answers_errors
    async def Relay(  # type: ignore[override]  # noqa: N802 (writes to its stream, so returns nothing)
        self, request: route_service_pb2.RelayRequest, context: Context, request_id: str
    ) -> None:
        call = Call(
            request_id,
            deadline_of(context, self._timeout_s),
            request.routing,
            request.body,
            request.endpoint,
            [(header.name, header.value) for header in request.headers],
        )
        event = route_service_pb2.RelayResponse
        async with self._controller.exchange(call) as exchange:
            if exchange.answer.is_stream:
                await self._start_relay(context, exchange, request_id, exchange.answer.headers)
                try:
                    async for piece in exchange.pieces():
                        await write(context, event(bytes=piece))
                except (BackendError, DeadlineExceeded) as error:
                    await write(context, event(error=_cut(exchange, error, request_id)))
            else:
                body = await exchange.whole()
                await self._start_relay(context, exchange, request_id, [*exchange.answer.headers, ("content-length", str(len(body)))])
                for start in range(0, len(body), _PIECE_BYTES):
                    await write(context, event(bytes=body[start : start + _PIECE_BYTES]))
            await write(context, event(finished=route_service_pb2.RelayResponse.Finished(receipt=exchange.receipt)))

    @answers_errors
    async def ListStrategies(  # noqa: N802
        self, request: route_service_pb2.ListStrategiesRequest, context: Context, request_id: str
    ) -> route_service_pb2.ListStrategiesResponse:
        settings = self._settings
        response = route_service_pb2.ListStrategiesResponse(policies=sorted(settings.policies))
        for name, state in self._scorers.states.items():
            listed = response.strategies.add(
                name=name,
                ready=state.ready,
                detail=state.detail,
                checkpoint=state.checkpoint,
                embedder=state.embedder,
                version=state.version,
            )
            if state.checkpoint:
                of, records = (name, state.checkpoint, state.embedder), self._book.records
                listed.calibrations.extend(map(calibration_of, records.of(*of)))
                listed.calibrations.extend(map(calibration_of, records.certificates_of(*of)))
                if live := self._watch.known(name, state.checkpoint):
                    listed.live.CopyFrom(live_of(live))
        for name, pair in settings.pairs.items():
            strong, weak = settings.backends[pair.strong].model, settings.backends[pair.weak].model
            response.pairs.add(name=name, strong=strong, weak=weak, pinned=self._pins.tier(name))
        if settings.controller.allow_backend_names:
            response.backends.extend(sorted(settings.backends))
        return response

    def _call(self, request: _TypedRequest, body: bytes, context: Context, request_id: str) -> Call:
        deadline = deadline_of(context, self._timeout_s)
        return Call(request_id, deadline, request.routing, body, model_counts=request.WhichOneof("request") == "body")

    async def _start_relay(self, context: Context, exchange: Exchange, request_id: str, headers: Sequence[tuple[str, str]]) -> None:
        await send_decision(context, exchange.decision, request_id)
        started = route_service_pb2.RelayResponse.Started(status=exchange.answer.status, decision=exchange.decision)
        for name, value in headers:
            started.headers.add(name=name, value=value)
        await write(context, route_service_pb2.RelayResponse(started=started))


def _prompt(request: route_service_pb2.RouteRequest | route_service_pb2.CompareStrategiesRequest) -> str | Sequence[Any]:
    match request.WhichOneof("input"):
        case "prompt":
            return request.prompt
        case "messages":
            if not request.messages.messages:
                raise InvalidBody("messages is empty; at least one message is needed.", param="messages")
            return messages_to_json(request.messages.messages)
    raise InvalidRequest("The request has no input; it needs a prompt or messages.", param="input")


def _chat_body(request: _TypedRequest, *, stream: bool) -> bytes:
    match request.WhichOneof("request"):
        case "chat":
            # The spec says who decides; the body's model is replaced in any case.
            return chat_to_body(request.chat, request.routing.model, stream=stream)
        case "body":
            return request.body
    raise InvalidRequest("The request is empty; it needs chat or body.", param="request")


def _refuse_rejection(exchange: Exchange, answer: bytes) -> None:
    """A typed call has no room for the backend's own error body, so it becomes an error with the backend's message."""
    status, name = exchange.answer.status, exchange.answer.backend
    if 200 <= status < 300:
        return
    raise BackendRejected(f"The backend {name} answered {status}: {_backend_message(answer)}", backend=name, http_status=status)


def _backend_message(answer: bytes) -> str:
    try:
        message = orjson.loads(answer)["error"]["message"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return "(no message)"
    return str(message)[:1000]


def _cut(exchange: Exchange, error: PointsmanError, request_id: str) -> error_pb2.Error:
    """The error event of a stream that began and can't go on; the receipt says so too."""
    exchange.fail(error)
    return to_status(error, request_id)
