"""What a body asks for a decision on: OpenAI's JSON in, the contract's messages out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from pointsman.runtime.errors import InvalidBody
from pointsman.v1 import chat_pb2, route_service_pb2, routing_pb2

Fields = dict[str, Any]


def route_request(body: bytes, routing: routing_pb2.RoutingSpec) -> route_service_pb2.RouteRequest:
    """One prompt, or a chat body as it would be sent to be answered: other fields are the backend's. Raises `InvalidBody`."""
    fields = _fields(body)
    request = route_service_pb2.RouteRequest(routing=_routing(fields, routing))
    _set_input(request, fields)
    return request


def batch_request(body: bytes, routing: routing_pb2.RoutingSpec) -> route_service_pb2.RouteBatchRequest:
    """Many prompts. Raises `InvalidBody`."""
    fields = _fields(body)
    prompts = _texts(fields.get("prompts"), "prompts")
    return route_service_pb2.RouteBatchRequest(routing=_routing(fields, routing), prompts=prompts)


def compare_request(body: bytes) -> route_service_pb2.CompareStrategiesRequest:
    """One prompt for several strategies, all where none is named. Raises `InvalidBody`."""
    fields = _fields(body)
    request = route_service_pb2.CompareStrategiesRequest(strategies=_texts(fields.get("strategies", []), "strategies"))
    _set_input(request, fields)
    return request


def _fields(body: bytes) -> Fields:
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        # Without the parser's own words, which may quote the body.
        raise InvalidBody(f"The body isn't JSON in UTF-8 (line {error.lineno}, column {error.colno}).") from None
    if not isinstance(fields, dict):
        raise InvalidBody("The body must be a JSON object; GET /openapi.json has its fields.")
    return fields


def _routing(fields: Fields, said: routing_pb2.RoutingSpec) -> routing_pb2.RoutingSpec:
    """The headers' spec with the body's `model`, and its `user` where no session is named."""
    model, user = fields.get("model", ""), fields.get("user")
    if not isinstance(model, str):
        raise InvalidBody("model must be a string such as router-mf-0.1.", param="model")
    said.model = model
    if not said.session and isinstance(user, str):
        said.session = user
    return said


def _set_input(request: route_service_pb2.RouteRequest | route_service_pb2.CompareStrategiesRequest, fields: Fields) -> None:
    if "prompt" in fields and "messages" in fields:
        raise InvalidBody("prompt and messages exclude each other; send one of them.", param="prompt")
    if "prompt" in fields:
        request.prompt = _texts([fields["prompt"]], "prompt")[0]
    elif "messages" in fields:
        messages = fields["messages"]
        if not isinstance(messages, list):
            raise InvalidBody("messages must be an array of objects, each with a role.", param="messages")
        request.messages.messages.extend(_message(message, f"messages[{index}]") for index, message in enumerate(messages))
        request.messages.SetInParent()


def _texts(values: object, where: str) -> list[str]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise InvalidBody(f"{where} must be {'a string' if where == 'prompt' else 'an array of strings'}.", param=where)
    return values


def _message(message: object, where: str) -> chat_pb2.ChatMessage:
    """What is scored of a message, and what its kinds of parts need of a backend."""
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        raise InvalidBody(f"{where} must be an object with a role, such as user.", param=where)
    content = message.get("content")
    made = chat_pb2.ChatMessage(role=message["role"])
    if isinstance(content, str):
        made.content = content
    elif isinstance(content, list):
        made.parts.extend(_parts(content, f"{where}.content"))
    elif content is not None:
        raise InvalidBody(f"{where}.content must be a string or an array of parts.", param=f"{where}.content")
    return made


def _parts(parts: Iterable[object], where: str) -> Iterable[chat_pb2.ContentPart]:
    for index, part in enumerate(parts):
        if not isinstance(part, dict) or not isinstance(part.get("type"), str):
            raise InvalidBody(f"{where}[{index}] must be an object with a type, such as text.", param=f"{where}[{index}]")
        yield chat_pb2.ContentPart(json=orjson.dumps(part).decode())
