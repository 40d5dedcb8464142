"""Python values to RouteService's requests: the one place that the sync and the async client share."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

from pointsman.client.messages import Message, to_message, to_tool
from pointsman.v1 import chat_pb2, route_service_pb2, routing_pb2

__all__ = ["ChatOptions", "Message", "Routing", "chat_request", "compare_request", "route_batch_request", "route_request", "stream_request"]

_TARGETS = ("threshold", "strong_share", "max_quality_loss")
_TIERS = {"strong": routing_pb2.TIER_STRONG, "weak": routing_pb2.TIER_WEAK}


class Routing(TypedDict, total=False):
    """How to route. Empty means the settings' default policy."""

    model: str
    """RouteLLM's model string, `router-mf-0.5`; excludes strategies and policy, and a target below wins over its threshold."""
    strategies: Sequence[str]
    threshold: float
    """0 to 1; excludes the other two targets."""
    strong_share: float
    """0 to 1."""
    max_quality_loss: float
    """0 to 1."""
    policy: str
    pair: str
    tier: Literal["strong", "weak"]
    """Skips scoring and takes this tier."""
    session: str
    """Requests of one session draw the same value from `random`."""


class ChatOptions(Routing, total=False):
    """How to route, and the parameters of the chat; only what is given is sent to the backend."""

    temperature: float
    top_p: float
    max_tokens: int
    max_completion_tokens: int
    stop: str | Sequence[str]
    seed: int
    n: int
    tools: Sequence[Mapping[str, Any]]
    """As OpenAI writes them: `{"type": "function", "function": {…}}`."""
    user: str
    extra: Mapping[str, Any]
    """Any other parameter of the backend, by its name; a parameter that is listed above is an error here."""


def routing_spec(options: Mapping[str, Any]) -> routing_pb2.RoutingSpec:
    """The routing spec of the `Routing` options. Raises `ValueError` for two targets or a tier that isn't one."""
    given = {name: options[name] for name in Routing.__annotations__ if options.get(name) is not None}
    if len(targets := [t for t in _TARGETS if t in given]) > 1:
        raise ValueError(f"{' and '.join(targets)} exclude each other")
    if "tier" in given:
        if given["tier"] not in _TIERS:
            raise ValueError(f"tier is 'strong' or 'weak', not {given['tier']!r}")
        given["tier"] = _TIERS[given["tier"]]
    return routing_pb2.RoutingSpec(**given)


def route_request(prompt: str | None, messages: Sequence[Message] | None, options: Routing) -> route_service_pb2.RouteRequest:
    """A question for a decision. Raises `ValueError` unless exactly one of prompt and messages is given."""
    _check_names(options, Routing)
    _exactly_one(prompt, messages)
    request = route_service_pb2.RouteRequest(routing=routing_spec(options))
    if prompt is not None:
        request.prompt = prompt
    else:
        request.messages.CopyFrom(_messages(messages or ()))
    return request


def route_batch_request(prompts: Sequence[str], options: Routing) -> route_service_pb2.RouteBatchRequest:
    """Many prompts, one routing spec."""
    _check_names(options, Routing)
    return route_service_pb2.RouteBatchRequest(routing=routing_spec(options), prompts=prompts)


def compare_request(
    prompt: str | None, messages: Sequence[Message] | None, strategies: Sequence[str]
) -> route_service_pb2.CompareStrategiesRequest:
    """One prompt for several strategies; no strategies asks all of them."""
    _exactly_one(prompt, messages)
    request = route_service_pb2.CompareStrategiesRequest(strategies=strategies)
    if prompt is not None:
        request.prompt = prompt
    else:
        request.messages.CopyFrom(_messages(messages or ()))
    return request


def chat_request(messages: Sequence[Message], options: ChatOptions) -> route_service_pb2.ChatCompletionRequest:
    """A chat to decide on and answer whole."""
    routing, chat = _routing_and_chat(messages, options)
    return route_service_pb2.ChatCompletionRequest(routing=routing, chat=chat)


def stream_request(messages: Sequence[Message], options: ChatOptions) -> route_service_pb2.StreamChatCompletionRequest:
    """A chat to decide on and answer as a stream."""
    routing, chat = _routing_and_chat(messages, options)
    return route_service_pb2.StreamChatCompletionRequest(routing=routing, chat=chat)


def _routing_and_chat(messages: Sequence[Message], options: Mapping[str, Any]) -> tuple[routing_pb2.RoutingSpec, chat_pb2.Chat]:
    _check_names(options, ChatOptions)
    given = {name: value for name, value in options.items() if name not in Routing.__annotations__ and value is not None}
    if isinstance(stop := given.get("stop"), str):
        given["stop"] = [stop]
    if "tools" in given:
        given["tools"] = [to_tool(tool) for tool in given["tools"]]
    if "extra" in given:
        given["extra_json"] = json.dumps(given.pop("extra"), ensure_ascii=False)
    return routing_spec(options), chat_pb2.Chat(messages=[to_message(m) for m in messages], **given)


def _messages(messages: Sequence[Message]) -> route_service_pb2.Messages:
    return route_service_pb2.Messages(messages=[to_message(m) for m in messages])


def _exactly_one(prompt: str | None, messages: Sequence[Message] | None) -> None:
    if (prompt is None) == (messages is None):
        raise ValueError("give a prompt or messages, one of the two")


def _check_names(options: Mapping[str, Any], known: type) -> None:
    # A typo must not become a parameter of the backend.
    if unknown := sorted(options.keys() - known.__annotations__.keys()):
        advice = f"known options: {', '.join(sorted(known.__annotations__))}"
        raise TypeError(f"unknown option {unknown[0]!r}; another parameter of the backend goes into extra={{…}}; {advice}")
