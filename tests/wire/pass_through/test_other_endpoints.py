"""/v1/completions, /v1/responses and /v1/embeddings: by the rules of chat completions, each with its own input and usage."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.support.backend import answering, cutting, streaming
from tests.wire.pass_through.conftest import Edge, receipt_of

WITH_RECEIPT = {"x-pointsman-receipt": "true"}
COMPLETION = {"id": "cmpl-1", "object": "text_completion", "choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}
RESPONSE = {"id": "resp_1", "object": "response", "output": [], "usage": {"input_tokens": 6, "output_tokens": 4, "total_tokens": 10}}
EMBEDDING = {"object": "list", "data": [], "usage": {"prompt_tokens": 8, "total_tokens": 8}}
USER = {"role": "user", "content": [{"type": "input_text", "text": "in parts"}, {"type": "input_image", "image_url": "data:,"}]}
CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
RESULT = {"type": "function_call_output", "call_id": "c", "output": "never scored"}


def _error(answer: httpx.Response) -> tuple[int, str, str]:
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["param"]


@pytest.mark.parametrize(
    ("endpoint", "answer", "usage"),
    [
        ("completions", COMPLETION, {"prompt_tokens": "5", "completion_tokens": "2"}),
        ("responses", RESPONSE, {"prompt_tokens": "6", "completion_tokens": "4"}),
        ("embeddings", EMBEDDING, {"prompt_tokens": "8"}),
    ],
)
async def test_a_whole_answer_passes_and_its_usage_is_read(edge: Edge, endpoint: str, answer: Any, usage: Any) -> None:
    """At the same path of the backend, with only `model` replaced."""
    edge.weak.script = answering(200, json.dumps(answer, indent=1).encode())
    model = "weak" if endpoint == "embeddings" else "router-mf-1"
    came = await edge.post(endpoint, WITH_RECEIPT, model=model, input="x", prompt="x", seed=9007199254740993)
    assert came.content == json.dumps(answer, indent=1).encode()
    assert (await receipt_of(came))["usage"] == usage
    (received,) = edge.weak.received
    assert received.path == f"/v1/{endpoint}"
    assert received.body == json.dumps({"model": "weak-model", "input": "x", "prompt": "x", "seed": 9007199254740993}).encode()


async def test_a_streamed_completion_passes_and_its_usage_is_read(edge: Edge) -> None:
    """As chat's does."""
    pieces = [b'data: {"choices":[{"text":"a"}]}\n\n', f"data: {json.dumps(COMPLETION)}\n\n".encode(), b"data: [DONE]\n\n"]
    edge.weak.script = streaming(pieces)
    came = await edge.post("completions", prompt="x", stream=True)
    assert came.content == b"".join(pieces)
    assert came.headers["x-pointsman-tier"] == "weak"
    came = await edge.post("completions", WITH_RECEIPT, prompt="x", stream=True)
    assert (await receipt_of(came))["usage"] == {"prompt_tokens": "5", "completion_tokens": "2"}


async def test_a_streamed_response_passes_and_its_usage_is_read(edge: Edge) -> None:
    """Typed events; the tokens are in the last one's response."""
    events = [
        {"type": "response.created", "sequence_number": 0, "response": {**RESPONSE, "usage": None}},
        {"type": "response.output_text.delta", "sequence_number": 1, "delta": 'the "usage" of it'},
        {"type": "response.completed", "sequence_number": 2, "response": RESPONSE},
    ]
    pieces = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events]
    edge.weak.script = streaming(pieces)
    came = await edge.post("responses", WITH_RECEIPT, input="x", stream=True)
    assert came.content.startswith(b"".join(pieces))
    assert (await receipt_of(came))["usage"] == {"prompt_tokens": "6", "completion_tokens": "4"}


@pytest.mark.parametrize(
    ("prompt", "scored"),
    [
        ("one", ["one"]),
        (["one", "two"], ["one\ntwo"]),
        ([1, 2, 3], []),
        ([[1, 2], [3]], []),
        ("", []),
        (None, []),
    ],
)
async def test_a_completions_prompt_is_scored(edge: Edge, prompt: Any, scored: list[str]) -> None:
    """Tokens aren't text: nothing to score, so strong."""
    for backend in (edge.weak, edge.strong):
        backend.script = answering(200, b"{}")
    came = await edge.post("completions", prompt=prompt)
    assert edge.scored == scored
    expected = ("weak", "comparison") if scored else ("strong", "nothing_to_score")
    assert (came.headers["x-pointsman-tier"], came.headers["x-pointsman-reason"]) == expected


@pytest.mark.parametrize(
    ("given", "scored"),
    [
        ("one", ["one"]),
        ([{"role": "user", "content": "first"}, {"role": "assistant", "content": "a"}, USER, CALL, RESULT], ["in parts"]),
        ([{"type": "message", "role": "user", "content": "typed"}, {"type": "reasoning", "summary": []}], ["typed"]),
        ([{"role": "system", "content": "s"}, RESULT], []),
        ([], []),
    ],
)
async def test_a_responses_last_user_input_is_scored(edge: Edge, given: Any, scored: list[str]) -> None:
    """Never a tool's result, so that an agent's loop keeps its model."""
    for backend in (edge.weak, edge.strong):
        backend.script = answering(200, b"{}")
    came = await edge.post("responses", input=given, instructions="never scored")
    assert edge.scored == scored
    assert came.headers["x-pointsman-tier"] == ("weak" if scored else "strong")


@pytest.mark.parametrize(
    "state",
    [
        {"previous_response_id": "resp_0", "input": "x"},
        {"conversation": "conv_1", "input": "x"},
        {"conversation": {"id": "conv_1"}, "input": "x"},
        {"input": [{"type": "item_reference", "id": "msg_1"}, USER]},
    ],
)
async def test_what_one_backend_keeps_needs_that_backends_name(edge: Edge, state: dict[str, Any]) -> None:
    """A router is refused with the advice to name one; a name passes, unscored."""
    edge.weak.script = answering(200, b"{}")
    refused = await edge.post("responses", **state)
    assert _error(refused) == (400, "invalid_routing_spec", "model")
    assert "Name one of the backends as model: strong, weak" in refused.json()["error"]["message"]
    passed = await edge.post("responses", model="weak-model", **state)
    assert passed.headers["x-pointsman-reason"] == "backend_named"
    assert len(edge.weak.received) == 1
    assert not edge.scored


async def test_a_null_previous_response_is_none(edge: Edge) -> None:
    """Some clients write every field."""
    edge.weak.script = answering(200, b"{}")
    assert (await edge.post("responses", input="x", previous_response_id=None)).status_code == 200


@pytest.mark.parametrize(
    ("model", "code"),
    [
        ("router-mf-0.5", "invalid_routing_spec"),
        ("router:any", "invalid_routing_spec"),
        ("router-nonsense", "invalid_routing_spec"),
        ("text-embedding-3-small", "invalid_model_string"),
        ("", "invalid_model_string"),
    ],
)
async def test_embeddings_are_never_routed(edge: Edge, model: str, code: str) -> None:
    """Whatever the headers say, and the error says why and what to name."""
    refused = await edge.post("embeddings", {"x-pointsman-tier": "strong"}, model=model, input="x")
    assert _error(refused) == (400, code, "model")
    if model:
        assert "vectors" in refused.json()["error"]["message"]
        assert "strong, weak" in refused.json()["error"]["message"]
    assert not edge.strong.received


@pytest.mark.parametrize("allow_backend_names", [False])
async def test_the_advice_names_the_setting_where_names_are_off(edge: Edge) -> None:
    """Naming a backend wouldn't help then."""
    for model in ("router-mf-1", "weak"):
        refused = await edge.post("embeddings", model=model, input="x")
        assert "controller.allow_backend_names" in refused.json()["error"]["message"]


@pytest.mark.parametrize(
    ("endpoint", "body", "param"),
    [
        ("completions", b'{"model":"router-mf-1","prompt":{}}', "prompt"),
        ("completions", b'{"model":"router-mf-1","prompt":["a",1]}', "prompt"),
        ("completions", b'{"model":"router-mf-1","prompt":"a","prompt":"b"}', "prompt"),
        ("responses", b'{"model":"router-mf-1","input":3}', "input"),
        ("responses", b'{"model":"router-mf-1","input":["x"]}', "input[0]"),
        ("responses", b'{"model":"router-mf-1","input":[{"role":"user"}]}', "input[0].content"),
        ("responses", b'{"model":"weak","previous_response_id":"a","previous_response_id":null}', "previous_response_id"),
        ("embeddings", b'{"model":"weak","model":"strong","input":"x"}', "model"),
    ],
)
async def test_what_routing_cannot_read_is_refused_by_its_field(edge: Edge, endpoint: str, body: bytes, param: str) -> None:
    """And nothing else of the body is checked."""
    refused = await edge.rest.post(f"/v1/{endpoint}", content=body)
    assert _error(refused) == (400, "invalid_body", param)


@pytest.mark.parametrize("endpoint", ["completions", "responses"])
async def test_failures_and_refusals_are_chats(edge: Edge, endpoint: str) -> None:
    """A backend's 400 unchanged, a cut whole answer a 502, a cut stream an error event."""
    edge.weak.script = answering(400, b'{"error": "mine"}')
    came = await edge.post(endpoint, prompt="x", input="x")
    assert (came.status_code, came.content) == (400, b'{"error": "mine"}')
    edge.weak.script = cutting
    assert (await edge.post(endpoint, prompt="x", input="x")).json()["error"]["code"] == "backend_cut"
    edge.weak.script = streaming([b"data: {}\n\n"], complete=False)
    came = await edge.post(endpoint, prompt="x", input="x", stream=True)
    assert b'"code": "backend_cut"' in came.content.replace(b'":"', b'": "')
