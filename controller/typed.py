"""The typed chat calls: the body that their requests stand for, and a backend's refusal as an error."""

from __future__ import annotations

import orjson

from controller.chat_codec import chat_to_body
from controller.exchange import Exchange
from pointsman.runtime.errors import BackendRejected, InvalidRequest
from pointsman.v1 import route_service_pb2

TypedRequest = route_service_pb2.ChatCompletionRequest | route_service_pb2.StreamChatCompletionRequest


def chat_body(request: TypedRequest, *, stream: bool) -> bytes:
    """The body to forward. Raises `InvalidRequest`."""
    match request.WhichOneof("request"):
        case "chat":
            # The spec says who decides; the body's model is replaced in any case.
            return chat_to_body(request.chat, request.routing.model, stream=stream)
        case "body":
            return request.body
    raise InvalidRequest("The request is empty; it needs chat or body.", param="request")


def refuse_rejection(exchange: Exchange, answer: bytes) -> None:
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
