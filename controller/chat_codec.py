"""Typed chat messages to OpenAI's JSON and back, so that the typed calls take the same path as the raw ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import orjson

from pointsman.runtime.errors import BackendFailed, InvalidBody
from pointsman.v1 import chat_pb2, route_service_pb2

_OPTIONAL = frozenset({"temperature", "top_p", "max_tokens", "max_completion_tokens", "seed", "n"})


def chat_to_body(chat: chat_pb2.Chat, model: str, *, stream: bool) -> bytes:
    """The OpenAI body of a typed request: what is set and nothing else, given JSON as it was written. Raises `InvalidBody` naming the
    field."""
    messages = [_message(message, f"messages[{index}]", _as_written) for index, message in enumerate(chat.messages)]
    body: dict[str, Any] = {"model": model, "messages": messages}
    body.update({field.name: _sendable(value, field.name) for field, value in chat.ListFields() if field.name in _OPTIONAL})
    if chat.stop:
        body["stop"] = list(chat.stop)
    if chat.tools:
        body["tools"] = [_tool(tool, f"tools[{index}]") for index, tool in enumerate(chat.tools)]
    if chat.user:
        body["user"] = chat.user
    if stream:
        body["stream"] = True
    if chat.extra_json:
        extra = _json_object(chat.extra_json, "extra_json")
        if both := sorted(extra.keys() & body.keys()):
            raise InvalidBody(f"extra_json sets {both[0]}, which the chat sets already; leave one out.", param="extra_json")
        if extra:
            return orjson.dumps(body)[:-1] + b"," + chat.extra_json.strip()[1:].encode()
    return orjson.dumps(body)


def messages_to_json(messages: Any) -> list[dict[str, Any]]:
    """Typed messages as an OpenAI body has them, parsed."""
    return [_message(message, f"messages[{index}]", _json_object) for index, message in enumerate(messages)]


def _sendable(value: float, where: str) -> float:
    if not math.isfinite(value):
        raise InvalidBody(f"{where} must be a number, not {value}.", param=where)
    return value


def _message(message: chat_pb2.ChatMessage, where: str, given: Callable[[str, str], Any]) -> dict[str, Any]:
    """`given` is what becomes of JSON that a field holds as text."""
    if not message.role:
        raise InvalidBody(f"{where}.role is missing; it is system, user, assistant or tool.", param=f"{where}.role")
    if message.HasField("content") and message.parts:
        raise InvalidBody(f"{where} has both content and parts; send one of them.", param=where)
    content: Any = message.content if message.HasField("content") else None
    if message.parts:
        content = [_part(part, f"{where}.parts[{index}]", given) for index, part in enumerate(message.parts)]
    result: dict[str, Any] = {"role": message.role, "content": content}
    if message.name:
        result["name"] = message.name
    if message.tool_calls:
        result["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}} for call in message.tool_calls
        ]
    if message.tool_call_id:
        result["tool_call_id"] = message.tool_call_id
    return result


def _part(part: chat_pb2.ContentPart, where: str, given: Callable[[str, str], Any]) -> Any:
    match part.WhichOneof("part"):
        case "text":
            return {"type": "text", "text": part.text}
        case "image_url":
            return {"type": "image_url", "image_url": {"url": part.image_url}}
        case "json":
            return given(part.json, f"{where}.json")
    raise InvalidBody(f"{where} is empty; it needs text, image_url or json.", param=where)


def _tool(tool: chat_pb2.Tool, where: str) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    if tool.parameters_json:
        function["parameters"] = _as_written(tool.parameters_json, f"{where}.parameters_json")
    return {"type": "function", "function": function}


def _json_object(text: str, where: str) -> dict[str, Any]:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidBody(f"{where} is not valid JSON: {error.msg}.", param=where) from None
    if not isinstance(value, dict):
        raise InvalidBody(f"{where} must be a JSON object.", param=where)
    return value


def _as_written(text: str, where: str) -> orjson.Fragment:
    """The same object for a body: numbers and order as they are, and nested as deep as may be."""
    _json_object(text, where)
    return orjson.Fragment(text)


def completion_from_json(body: bytes, backend: str) -> route_service_pb2.ChatCompletionResponse:
    """The backend's answer, typed, with its bytes beside it. Raises `BackendFailed` where it isn't an OpenAI answer."""
    answer = _answer(body, backend)
    response = route_service_pb2.ChatCompletionResponse(id=_str(answer.get("id")), model=_str(answer.get("model")), body=body)
    for index, choice in enumerate(_dicts(answer.get("choices"))):
        message = choice.get("message")
        response.choices.add(
            index=_int(choice.get("index"), index),
            message=_typed_message(message if isinstance(message, dict) else {}),
            finish_reason=_str(choice.get("finish_reason")),
        )
    return response


def chunk_from_event(event: bytes) -> route_service_pb2.ChatCompletionChunk:
    """One event of the backend's stream, typed as far as it goes, with its bytes beside it; of an unknown one they are all."""
    chunk = route_service_pb2.ChatCompletionChunk(raw=event)
    answer = _loads(b"\n".join(line[5:].strip() for line in event.splitlines() if line.startswith(b"data:")))
    if not isinstance(answer, dict):
        return chunk
    chunk.id, chunk.model = _str(answer.get("id")), _str(answer.get("model"))
    for index, choice in enumerate(_dicts(answer.get("choices"))):
        delta = choice.get("delta")
        content = delta.get("content") if isinstance(delta, dict) else None
        chunk.deltas.add(index=_int(choice.get("index"), index), content=_str(content), finish_reason=_str(choice.get("finish_reason")))
    return chunk


def _answer(body: bytes, backend: str) -> dict[str, Any]:
    answer = _loads(body)
    if not isinstance(answer, dict):
        what = f"answered with something that isn't a JSON object; is backends.{backend}.base_url an OpenAI-compatible API's?"
        raise BackendFailed(f"The backend {backend} {what}", backend=backend)
    return answer


def _loads(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return None


def _typed_message(message: dict[str, Any]) -> chat_pb2.ChatMessage:
    typed = chat_pb2.ChatMessage(role=_str(message.get("role")))
    if isinstance(content := message.get("content"), str):
        typed.content = content
    for call in _dicts(message.get("tool_calls")):
        function = call.get("function")
        function = function if isinstance(function, dict) else {}
        typed.tool_calls.add(id=_str(call.get("id")), name=_str(function.get("name")), arguments=_str(function.get("arguments")))
    return typed


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _str(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _int(value: Any, default: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 31 else default
