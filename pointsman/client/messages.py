"""OpenAI's message and tool dictionaries as their protobuf forms; nothing in them is dropped."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pointsman.v1 import chat_pb2

Message = chat_pb2.ChatMessage | Mapping[str, Any]
"""A message as protobuf, or as OpenAI writes it: `{"role": "user", "content": "…"}`."""

_MESSAGE_KEYS = {"role", "content", "name", "tool_calls", "tool_call_id"}


def to_message(message: Message) -> chat_pb2.ChatMessage:
    """The message's protobuf form. Raises `ValueError` naming a key that it has no field for."""
    if isinstance(message, chat_pb2.ChatMessage):
        return message
    given = {key: value for key, value in message.items() if value is not None}
    if unknown := sorted(given.keys() - _MESSAGE_KEYS):
        raise ValueError(f"a message has no {unknown[0]!r}; it has {', '.join(sorted(_MESSAGE_KEYS))}")
    content = given.pop("content", None)
    calls = [_to_tool_call(call) for call in given.pop("tool_calls", ())]
    made = chat_pb2.ChatMessage(**given, tool_calls=calls)
    if isinstance(content, str):
        made.content = content
    elif content is not None:
        made.parts.extend(_to_part(part) for part in content)
    return made


def to_tool(tool: Mapping[str, Any]) -> chat_pb2.Tool:
    """The function's protobuf form. Raises `ValueError` for a tool that isn't a plain function."""
    function = tool.get("function")
    if tool.keys() - {"type", "function"} or not isinstance(function, Mapping) or function.keys() - {"name", "description", "parameters"}:
        raise ValueError("a tool is a function with name, description and parameters; pass any other kind as extra={'tools': […]}")
    parameters = function.get("parameters")
    return chat_pb2.Tool(
        name=function["name"],
        description=function.get("description") or "",
        parameters_json=json.dumps(parameters, ensure_ascii=False) if parameters is not None else "",
    )


def _to_tool_call(call: Mapping[str, Any]) -> chat_pb2.ToolCall:
    return chat_pb2.ToolCall(id=call["id"], name=call["function"]["name"], arguments=call["function"]["arguments"])


def _to_part(part: Mapping[str, Any]) -> chat_pb2.ContentPart:
    if part.keys() == {"type", "text"} and part["type"] == "text":
        return chat_pb2.ContentPart(text=part["text"])
    if part.keys() == {"type", "image_url"} and part["type"] == "image_url" and part["image_url"].keys() == {"url"}:
        return chat_pb2.ContentPart(image_url=part["image_url"]["url"])
    return chat_pb2.ContentPart(json=json.dumps(part, ensure_ascii=False))


def text_of(pieces: Sequence[chat_pb2.ChoiceDelta]) -> str:
    """The text that a chunk adds to the first answer."""
    return "".join(piece.content for piece in pieces if piece.index == 0)
