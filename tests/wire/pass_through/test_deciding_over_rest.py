"""REST that decides, compares and lists, and calls no backend."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from tests.wire.pass_through.conftest import Edge, receipt_of
from tests.wire.pass_through.test_grpc_contract import eventually

CHAT: dict[str, Any] = {"model": "router-mf-0.3", "messages": [{"role": "user", "content": "hi"}]}
VISION: dict[str, Any] = {
    "role": "user",
    "content": [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": "data:,"}}],
}


async def test_a_chat_body_is_decided_on_as_it_would_be_answered(edge: Edge) -> None:
    """The same decision in the body and in the headers, and no backend is called for it."""
    decided = await edge.post("route", **CHAT, stream=True, temperature=2)
    assert not edge.strong.received + edge.weak.received
    answered = await edge.post("chat/completions", {"x-pointsman-receipt": "true"}, **CHAT)
    assert decided.status_code == 200
    decision = decided.json()["decision"]
    assert decision == (await receipt_of(answered))["decision"]
    assert (decision["tier"], decision["model"], decision["strong_win_rate"]) == ("TIER_STRONG", "strong-model", 0.4)
    for name in ("tier", "model", "reason", "strategy", "strong-win-rate", "threshold"):
        assert decided.headers[f"x-pointsman-{name}"] == answered.headers[f"x-pointsman-{name}"]
    assert decided.headers.get_list("x-pointsman-request-id") == [decided.json()["receipt"]["request_id"]]


async def test_only_the_last_user_message_is_scored(edge: Edge) -> None:
    """Of parts the text; a tool call's message without content is passed over."""
    before = [{"role": "user", "content": "old"}, {"role": "assistant", "content": None, "tool_calls": []}]
    assert (await edge.post("route", messages=[*before, VISION])).status_code == 200
    assert edge.scored == ["look"]


@pytest.mark.parametrize(("header", "value", "tier"), [("tier", "strong", "TIER_STRONG"), ("tier", "weak", "TIER_WEAK")])
async def test_headers_route_as_they_do_with_chat(edge: Edge, header: str, value: str, tier: str) -> None:
    """A pin among them."""
    answer = await edge.post("route", {f"x-pointsman-{header}": value}, prompt="hi")
    assert (answer.json()["decision"]["tier"], answer.json()["decision"]["reason"]) == (tier, "REASON_PINNED_BY_CALLER")


async def test_a_batch_has_one_result_for_each_prompt(edge: Edge) -> None:
    """In order; one without text doesn't fail the others. 1,024 are the most."""
    answer = await edge.post("route/batch", model="router-mf-0.4", prompts=["a", "", "b"])
    assert [each["decision"]["reason"] for each in answer.json()["results"]] == [
        "REASON_COMPARISON",
        "REASON_NOTHING_TO_SCORE",
        "REASON_COMPARISON",
    ]
    many = await edge.post("route/batch", prompts=["x" * 200] * 1024)
    assert len(many.json()["results"]) == 1024
    refused = await edge.post("route/batch", prompts=["x"] * 1025)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "prompts")


async def test_an_error_of_a_batch_has_openais_shape(edge: Edge) -> None:
    """Beside each prompt that couldn't be decided on."""
    answer = await edge.post("route/batch", {"x-pointsman-max-quality-loss": "0"}, prompts=["a", "b"])
    assert answer.status_code == 200
    assert [each["error"]["code"] for each in answer.json()["results"]] == ["not_certified", "not_certified"]


async def test_comparing_tells_each_strategys_win_rate(edge: Edge) -> None:
    """All that are configured, or those that are named."""
    both = (await edge.post("strategies/compare", prompt="hi")).json()["opinions"]
    assert {each["strategy"]: each["strong_win_rate"] for each in both} == {"mf": 0.4, "random": 0.5}
    one = (await edge.post("strategies/compare", messages=CHAT["messages"], strategies=["mf"])).json()["opinions"]
    assert [(each["strategy"], each["failure"]) for each in one] == [("mf", "REASON_UNSPECIFIED")]


async def test_strategies_are_listed_with_pairs(edge: Edge) -> None:
    """Also what is false or empty is there."""
    listed = (await edge.rest.get("/v1/strategies")).json()
    assert [(each["name"], each["ready"], each["detail"]) for each in listed["strategies"]] == [("mf", True, ""), ("random", True, "")]
    assert listed["pairs"] == [{"name": "default", "strong": "strong-model", "weak": "weak-model", "pinned": "TIER_UNSPECIFIED"}]


async def test_statistics_count_what_was_answered(edge: Edge) -> None:
    """Where no keys are asked for anybody may read them, as /metrics."""
    await edge.post("chat/completions", messages=CHAT["messages"])
    rows = (await edge.rest.get("/v1/stats")).json()["rows"]
    assert [(each["strategy"], each["tier"], each["requests"], each["usage"]["completion_tokens"]) for each in rows] == [
        ("mf", "TIER_WEAK", "1", "3")
    ]


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("route", {}, "input"),
        ("route", {"prompt": 1}, "prompt"),
        ("route", {"prompt": "a", "messages": []}, "prompt"),
        ("route", {"messages": []}, "messages"),
        ("route", {"messages": {}}, "messages"),
        ("route", {"messages": ["a"]}, "messages[0]"),
        ("route", {"messages": [{"role": "user", "content": 1}]}, "messages[0].content"),
        ("route", {"messages": [{"role": "user", "content": [1]}]}, "messages[0].content[0]"),
        ("route", {"prompt": "a", "model": 1}, "model"),
        ("route/batch", {}, "prompts"),
        ("route/batch", {"prompts": ["a", 1]}, "prompts"),
        ("strategies/compare", {"prompt": "a", "strategies": "mf"}, "strategies"),
        ("strategies/compare", {"prompt": "a", "strategies": ["no"]}, "strategies"),
    ],
)
async def test_what_is_wrong_with_a_body_is_named(edge: Edge, path: str, body: dict[str, Any], param: str) -> None:
    """As a 400 in OpenAI's shape."""
    answer = await edge.rest.post(f"/v1/{path}", content=json.dumps(body))
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"prompt": "\xff"}', b'"' * 100_000])
async def test_a_body_that_isnt_an_object_is_a_400(edge: Edge, content: bytes) -> None:
    """The parser's own words, which may quote it, aren't told."""
    answer = await edge.rest.post("/v1/route", content=content)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_body")


async def test_a_caller_who_leaves_ends_the_scoring(edge: Edge) -> None:
    """And one whose deadline passes is told so."""
    edge.scorers.delay_s = 30
    late = await edge.post("strategies/compare", {"x-request-timeout": "0.2"}, prompt="hi")
    assert late.status_code == 504 or {each["failure"] for each in late.json()["opinions"]} == {"REASON_SCORER_TIMEOUT"}
    asked = len(edge.scorers.batches)
    with pytest.raises(httpx.ReadTimeout):
        await edge.rest.post("/v1/strategies/compare", content=b'{"prompt": "hi"}', timeout=0.3)
    await eventually(lambda: len(edge.scorers.batches) > asked and not edge.scorers.at_once)
    await asyncio.sleep(0)
