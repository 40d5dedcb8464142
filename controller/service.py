"""RouteService: the contract's messages in and out; everything that decides or calls is the Controller's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from controller.backend_headers import check_sendable
from controller.batch import checked
from controller.chat_codec import chunk_from_event, completion_from_json, messages_to_json
from controller.controller import Call, Controller
from controller.generations import Generations
from controller.listing import listed_ensembles, listed_pairs, listed_strategies
from controller.permissions import shown_to
from controller.pins import Pins
from controller.record_book import RecordBook
from controller.relaying import cut, relay, relay_whole
from controller.rpc import Context, answers_errors, caller_of, deadline_of, is_crowded, send_decision, tell_usage, waited_of, write
from controller.scorers import Scorers
from controller.sse import events_of
from controller.typed import TypedRequest, chat_body, refuse_rejection
from controller.watch import Watch
from pointsman.runtime.error_forms import to_status
from pointsman.runtime.errors import (
    BackendError,
    DeadlineExceeded,
    InvalidBody,
    InvalidRequest,
    PointsmanError,
)
from pointsman.runtime.settings import Settings
from pointsman.runtime.shedding import Shedding
from pointsman.v1 import route_service_pb2, route_service_pb2_grpc

_PIECE_BYTES = 1 << 20


class RouteService(route_service_pb2_grpc.RouteServiceServicer):
    """See protos/pointsman/v1/route_service.proto. Handlers write to the stream themselves, so that a cancellation reaches
    the backend's call at once."""

    def __init__(self, generations: Generations, scorers: Scorers, book: RecordBook, watch: Watch, pins: Pins, shedding: Shedding) -> None:
        self._generations = generations
        self._shedding = shedding
        self._pins = pins
        self._book = book
        self._watch = watch
        self._scorers = scorers

    def take_up(self, context: Context) -> None:
        """Raises `Overloaded` for a call that has waited too long already."""
        self._shedding.check_wait(waited_of(context), lambda: is_crowded(context))

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
        deadline, caller = deadline_of(context, self._timeout_s), caller_of(context)
        receipt = await self._controller.route(request_id, request.routing, prompt, deadline, caller)
        await send_decision(context, receipt.decision, request_id)
        return route_service_pb2.RouteResponse(decision=receipt.decision, receipt=receipt)

    @answers_errors
    async def RouteBatch(  # noqa: N802
        self, request: route_service_pb2.RouteBatchRequest, context: Context, request_id: str
    ) -> route_service_pb2.RouteBatchResponse:
        prompts, deadline = checked(request.prompts), deadline_of(context, self._timeout_s)
        found = await self._controller.route_batch(request_id, request.routing, prompts, deadline, caller_of(context))
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
        deadline, caller = deadline_of(context, self._timeout_s), caller_of(context)
        opinions = await self._controller.compare(request.strategies, _prompt(request), deadline, caller)
        return route_service_pb2.CompareStrategiesResponse(opinions=opinions)

    @answers_errors
    async def ChatCompletion(  # noqa: N802
        self, request: route_service_pb2.ChatCompletionRequest, context: Context, request_id: str
    ) -> route_service_pb2.ChatCompletionResponse:
        body = chat_body(request, stream=False)
        async with self._controller.exchange(self._call(request, body, context, request_id)) as exchange:
            if exchange.answer.is_stream:
                raise InvalidBody("The body asks for a stream, which StreamChatCompletion answers.", param="stream")
            answer = await exchange.whole()
            refuse_rejection(exchange, answer)
            response = completion_from_json(answer, exchange.answer.backend)
            response.receipt.CopyFrom(exchange.receipt)
            await send_decision(context, exchange.decision, request_id)
            tell_usage(context, exchange.receipt)
            return response

    @answers_errors
    async def StreamChatCompletion(  # type: ignore[override]  # noqa: N802 (writes to its stream, so returns nothing)
        self, request: route_service_pb2.StreamChatCompletionRequest, context: Context, request_id: str
    ) -> None:
        body = chat_body(request, stream=True)
        async with self._controller.exchange(self._call(request, body, context, request_id)) as exchange:
            if not exchange.answer.is_stream:
                answer = await exchange.whole()
                refuse_rejection(exchange, answer)
                raise InvalidBody(
                    'The backend answered whole: for a stream the body needs `"stream": true`; ChatCompletion answers whole.',
                    param="stream",
                )
            await send_decision(context, exchange.decision, request_id)
            event, longest = route_service_pb2.StreamChatCompletionResponse, self._settings.controller.max_response_bytes
            try:
                async for raw in events_of(exchange.pieces(), exchange.answer.backend, longest):
                    await write(context, event(chunk=chunk_from_event(raw)))
            except (BackendError, DeadlineExceeded) as error:
                await write(context, event(error=cut(exchange, error, request_id)))
            tell_usage(context, exchange.receipt)
            await write(context, event(receipt=exchange.receipt))

    @answers_errors
    async def Relay(  # type: ignore[override]  # noqa: N802 (writes to its stream, so returns nothing)
        self, request: route_service_pb2.RelayRequest, context: Context, request_id: str
    ) -> None:
        async with self._controller.exchange(self._relayed(request, context, request_id)) as exchange:
            await relay(exchange, context, request_id)

    @answers_errors
    async def RelayWhole(  # noqa: N802
        self, request: route_service_pb2.RelayWholeRequest, context: Context, request_id: str
    ) -> route_service_pb2.RelayWholeResponse:
        async with self._controller.exchange(self._relayed(request.relay, context, request_id)) as exchange:
            answer = await relay_whole(exchange, self._settings.controller.max_response_bytes)
            tell_usage(context, exchange.receipt)
            return answer

    @answers_errors
    async def ListStrategies(  # noqa: N802
        self, request: route_service_pb2.ListStrategiesRequest, context: Context, request_id: str
    ) -> route_service_pb2.ListStrategiesResponse:
        settings = self._settings
        response = route_service_pb2.ListStrategiesResponse(policies=sorted(settings.policies))
        response.strategies.extend(listed_strategies(self._scorers.states, self._book.records, self._watch))
        response.ensembles.extend(listed_ensembles(self._scorers.states, self._book.records, self._watch))
        response.pairs.extend(listed_pairs(settings, self._pins))
        if settings.controller.allow_backend_names:
            response.backends.extend(sorted(settings.backends))
        return shown_to(caller_of(context), response)

    def _call(self, request: TypedRequest, body: bytes, context: Context, request_id: str) -> Call:
        deadline = deadline_of(context, self._timeout_s)
        model_counts = request.WhichOneof("request") == "body"
        return Call(request_id, deadline, request.routing, body, model_counts=model_counts, caller=caller_of(context))

    def _relayed(self, request: route_service_pb2.RelayRequest, context: Context, request_id: str) -> Call:
        headers = [(header.name, header.value) for header in request.headers]
        check_sendable(headers)
        deadline, caller = deadline_of(context, self._timeout_s), caller_of(context)
        return Call(request_id, deadline, request.routing, request.body, request.endpoint, headers, caller=caller)


def _prompt(request: route_service_pb2.RouteRequest | route_service_pb2.CompareStrategiesRequest) -> str | Sequence[Any]:
    match request.WhichOneof("input"):
        case "prompt":
            return request.prompt
        case "messages":
            if not request.messages.messages:
                raise InvalidBody("messages is empty; at least one message is needed.", param="messages")
            return messages_to_json(request.messages.messages)
    raise InvalidRequest("The request has no input; it needs a prompt or messages.", param="input")
