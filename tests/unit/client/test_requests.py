"""Python values as RouteService's requests."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pointsman.client.messages import to_message, to_tool
from pointsman.client.requests import chat_request, compare_request, route_batch_request, route_request, routing_spec, stream_request
from pointsman.v1 import chat_pb2, route_service_pb2, routing_pb2

HELLO = {"role": "user", "content": "你好"}


def test_every_routing_option_reaches_its_field() -> None:
    """Strategies, threshold, pair, tier and session go where the contract has them."""
    spec = routing_spec({"strategies": ["mf", "random"], "threshold": 0.0, "pair": "de", "tier": "weak", "session": "s"})
    assert spec == routing_pb2.RoutingSpec(strategies=["mf", "random"], threshold=0.0, pair="de", tier=routing_pb2.TIER_WEAK, session="s")
    assert spec.WhichOneof("target") == "threshold", "a threshold of 0 is a threshold"
    assert routing_spec({"policy": "support-bot"}) == routing_pb2.RoutingSpec(policy="support-bot")
    assert routing_spec({"model": "router-mf-30pct"}) == routing_pb2.RoutingSpec(model="router-mf-30pct")


def test_no_routing_option_leaves_the_default_policy() -> None:
    """An empty spec means the settings' default policy, so nothing is filled in; None counts as not given."""
    assert routing_spec({}) == routing_pb2.RoutingSpec()
    assert routing_spec({"model": None, "threshold": None}) == routing_pb2.RoutingSpec()


def test_two_targets_are_refused_before_one_hides_the_other() -> None:
    """In the contract they share a oneof, where the last one would win in silence."""
    with pytest.raises(ValueError, match="threshold and strong_share exclude each other"):
        routing_spec({"strategies": ["mf"], "threshold": 0.1, "strong_share": 0.2})


def test_a_tier_that_is_none_is_named() -> None:
    """`tier` takes two words."""
    with pytest.raises(ValueError, match="not 'medium'"):
        routing_spec({"tier": "medium"})


def test_an_unknown_option_is_an_error_and_not_a_parameter_of_the_backend() -> None:
    """A typo would otherwise be sent on and ignored."""
    options: Any = {"model": "router-mf-0.5", "treshold": 0.2}
    with pytest.raises(TypeError, match=r"'treshold'.*extra"):
        chat_request([HELLO], options)
    with pytest.raises(TypeError, match="'treshold'"):
        route_request("x", None, options)


def test_a_question_has_a_prompt_or_messages() -> None:
    """Neither and both are errors; an empty prompt is a prompt."""
    with pytest.raises(ValueError, match="one of the two"):
        route_request(None, None, {})
    with pytest.raises(ValueError, match="one of the two"):
        compare_request("x", [HELLO], ())
    assert route_request("", None, {}).WhichOneof("input") == "prompt"
    assert route_request(None, [HELLO], {}).messages.messages[0].content == "你好"
    assert route_request(None, [], {}).WhichOneof("input") == "messages"


def test_a_batch_keeps_the_prompts_in_order() -> None:
    """Many prompts, one spec."""
    request = route_batch_request(["a", "b"], {"model": "router-mf-0.5"})
    assert request == route_service_pb2.RouteBatchRequest(routing=routing_pb2.RoutingSpec(model="router-mf-0.5"), prompts=["a", "b"])


def test_a_chat_carries_what_was_given_and_nothing_else() -> None:
    """A temperature of 0 is sent; a parameter that wasn't given is unset."""
    request = chat_request([HELLO], {"model": "router-mf-0.5", "temperature": 0.0, "stop": "END", "seed": 1 << 40})
    assert request.chat == chat_pb2.Chat(
        messages=[chat_pb2.ChatMessage(role="user", content="你好")], temperature=0.0, stop=["END"], seed=1 << 40
    )
    assert not request.chat.HasField("max_tokens")
    assert request.routing == routing_pb2.RoutingSpec(model="router-mf-0.5")


def test_other_parameters_travel_as_json() -> None:
    """`extra` reaches the backend by its own names, text unescaped."""
    request = stream_request([HELLO], {"extra": {"reasoning_effort": "low", "metadata": {"k": "值"}}})
    assert json.loads(request.chat.extra_json) == {"reasoning_effort": "low", "metadata": {"k": "值"}}
    assert "值" in request.chat.extra_json


def test_openai_messages_keep_every_field() -> None:
    """Tool calls, their answers, names and parts; None counts as not given."""
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{bad"}}
    assert to_message({"role": "assistant", "content": None, "tool_calls": [call]}) == chat_pb2.ChatMessage(
        role="assistant", tool_calls=[chat_pb2.ToolCall(id="c1", name="f", arguments="{bad")]
    )
    assert to_message({"role": "tool", "content": "4", "tool_call_id": "c1"}) == chat_pb2.ChatMessage(
        role="tool", content="4", tool_call_id="c1"
    )
    made = chat_pb2.ChatMessage(role="user", content="as it is")
    assert to_message(made) is made


def test_parts_are_text_an_image_or_their_own_json() -> None:
    """A part with more than the typed form holds keeps all of it as JSON."""
    detailed = {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}}
    parts = to_message(
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "look"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}},
                detailed,
            ],
        }
    ).parts
    assert [part.WhichOneof("part") for part in parts] == ["text", "image_url", "json"]
    assert json.loads(parts[2].json) == detailed


def test_a_message_key_without_a_field_is_named() -> None:
    """Nothing of a message is dropped in silence."""
    with pytest.raises(ValueError, match="no 'audio'"):
        to_message({"role": "assistant", "audio": {"id": "a"}})


def test_a_function_becomes_a_typed_tool_and_any_other_tool_is_refused() -> None:
    """What the typed form can't hold goes into `extra`, and the error says so."""
    schema = {"type": "object"}
    tool = {"type": "function", "function": {"name": "f", "description": "d", "parameters": schema}}
    assert to_tool(tool) == chat_pb2.Tool(name="f", description="d", parameters_json=json.dumps(schema))
    assert to_tool({"type": "function", "function": {"name": "f"}}).parameters_json == ""
    with pytest.raises(ValueError, match="extra"):
        to_tool({"type": "function", "function": {"name": "f", "strict": True}})
