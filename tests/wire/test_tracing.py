"""Spans: one tree from the gateway through the controller and the scorer to the backend, and none where no collector is named."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc
import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from gateway.service import serving
from pointsman.runtime import tracing
from pointsman.runtime.settings import StrategySettings
from pointsman.v1 import route_service_pb2, route_service_pb2_grpc, routing_pb2
from scorers.bare import bare_scorers
from scorers.registry import build_router
from scorers.scorer import Scorer
from tests.support.backend import ScriptedBackend, answering, scripted_backend, streaming
from tests.support.canary import KEY, PROMPT
from tests.support.controllers import running_controller
from tests.support.gateways import gateway_before

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
_ANSWER = {"choices": [{"message": {"content": "Yes."}}], "usage": {"prompt_tokens": 7, "completion_tokens": 2}}


@dataclass
class Traced:
    """Both services' spans, and what they stand before."""

    rest: httpx.AsyncClient
    route: Any
    weak: ScriptedBackend
    exported: InMemorySpanExporter
    flush: Any

    async def spans(self, last: str = "POST /v1/chat/completions") -> dict[str, ReadableSpan]:
        """Those that have ended, by name, once `last` is among them: the gateway's ends after its answer has gone out."""
        while last not in (found := self.found()):
            await asyncio.sleep(0.01)
        return found

    def found(self) -> dict[str, ReadableSpan]:
        """Those that have ended by now."""
        self.flush()
        return {span.name: span for span in self.exported.get_finished_spans()}

    async def none(self) -> bool:
        """Whether there are none, a while after an answer."""
        await asyncio.sleep(0.1)
        return not self.found()


@pytest.fixture
def exported() -> Iterator[tuple[InMemorySpanExporter, Any]]:
    """Where spans go."""
    exporter = InMemorySpanExporter()
    provider = tracing.trace_to(exporter, "test")
    yield exporter, provider.force_flush
    tracing.stop()
    provider.shutdown()


@pytest.fixture
async def traced(exported: tuple[InMemorySpanExporter, Any]) -> AsyncIterator[Traced]:
    """A gateway, a controller, a scorer and a backend."""
    scorer = Scorer(partial(build_router, "random"), StrategySettings())
    async with (
        bare_scorers({"random": scorer}) as scorers,
        scripted_backend("weak", answering(200, json.dumps(_ANSWER).encode())) as weak,
        running_controller({"strong": weak.settings, "weak": weak.settings}, scorers, strategies={"random": {}}) as controller,
        serving(gateway_before(controller.address, drain_s=1)) as gateway,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{gateway.rest_port}", timeout=20) as rest,
        grpc.aio.insecure_channel(f"127.0.0.1:{gateway.grpc_port}") as channel,
    ):
        yield Traced(rest, route_service_pb2_grpc.RouteServiceStub(channel), weak, *exported)
    await scorer.close()


def _body(**more: Any) -> dict[str, Any]:
    return {"model": "router-random-1", "messages": [{"role": "user", "content": PROMPT}], **more}


def _parents(spans: dict[str, ReadableSpan]) -> dict[str, str]:
    names = {span.context.span_id: name for name, span in spans.items() if span.context}
    return {name: names.get(span.parent.span_id, "the caller") if span.parent else "" for name, span in spans.items()}


async def test_a_request_is_one_tree_under_its_callers_span(traced: Traced) -> None:
    """Gateway, controller, scorer and backend; the backend is told the span that waits for it."""
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "authorization": f"Bearer {KEY}"}
    assert (await traced.rest.post("/v1/chat/completions", json=_body(), headers=headers)).status_code == 200
    spans = await traced.spans()
    assert _parents(spans) == {
        "POST /v1/chat/completions": "the caller",
        "pointsman.v1.RouteService/RelayWhole": "POST /v1/chat/completions",
        "score random": "pointsman.v1.RouteService/RelayWhole",
        "win rate by random": "score random",
        "chat weak-model": "pointsman.v1.RouteService/RelayWhole",
    }
    assert {f"{span.context.trace_id:032x}" for span in spans.values() if span.context} == {TRACE}
    called = spans["chat weak-model"].context
    assert called
    assert traced.weak.received[0].headers["traceparent"] == f"00-{TRACE}-{called.span_id:016x}-01"


async def test_spans_say_what_was_decided_and_what_it_took_and_no_text(traced: Traced) -> None:
    """By the semantic conventions' names where they have one."""
    assert (await traced.rest.post("/v1/chat/completions", json=_body())).status_code == 200
    spans = await traced.spans()
    call, request = spans["chat weak-model"].attributes, spans["pointsman.v1.RouteService/RelayWhole"].attributes
    assert call
    assert request
    expected = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "weak-model", "http.response.status_code": 200}
    assert expected.items() <= dict(call).items()
    assert (call["gen_ai.usage.input_tokens"], call["gen_ai.usage.output_tokens"], call["server.address"]) == (7, 2, "127.0.0.1")
    decided = {"pointsman.strategy": "random", "pointsman.tier": "weak", "pointsman.reason": "comparison", "pointsman.threshold": 1.0}
    assert decided.items() <= dict(request).items()
    assert spans["POST /v1/chat/completions"].attributes
    written = "".join(span.to_json() for span in spans.values())
    assert "Yes." not in written
    assert "canary" not in written


async def test_a_stream_and_a_decision_by_grpc_are_traced_too(traced: Traced) -> None:
    """A stream's span lasts until its last byte."""
    chunk = b'data: {"choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":3,"completion_tokens":1}}\n\n'
    traced.weak.script = streaming([chunk, b"data: [DONE]\n\n"], pause_s=0.05)
    assert (await traced.rest.post("/v1/chat/completions", json=_body(stream=True))).status_code == 200
    spans = await traced.spans()
    call = spans["chat weak-model"]
    assert call.attributes
    assert call.start_time
    assert call.end_time
    assert call.attributes["gen_ai.usage.output_tokens"] == 1
    assert call.end_time - call.start_time > 0.04e9
    traced.exported.clear()
    await traced.route.Route(route_service_pb2.RouteRequest(prompt=PROMPT, routing=routing_pb2.RoutingSpec(model="router-random-0")))
    names: list[str] = []
    while len(names) < 4:
        await asyncio.sleep(0.01)
        traced.flush()
        names = [span.name for span in traced.exported.get_finished_spans()]
    assert names == ["win rate by random", "score random", *["pointsman.v1.RouteService/Route"] * 2]


async def test_what_fails_says_so_by_the_errors_name(traced: Traced) -> None:
    """On the call to the backend, the request and the edge."""
    traced.weak.script = answering(500, b"no, canary")
    assert (await traced.rest.post("/v1/chat/completions", json=_body())).status_code == 502
    spans = await traced.spans()
    errors = {name: (span.attributes or {}).get("error.type") for name, span in spans.items()}
    assert errors["chat weak-model"] == "BACKEND_FAILED"
    assert errors["pointsman.v1.RouteService/RelayWhole"]
    assert errors["POST /v1/chat/completions"] == "ControllerFailed"


async def test_a_callers_word_that_a_trace_is_not_sampled_counts(traced: Traced) -> None:
    """Nothing is exported, and the backend hears the same."""
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-00"}
    assert (await traced.rest.post("/v1/chat/completions", json=_body(), headers=headers)).status_code == 200
    assert await traced.none()
    assert traced.weak.received[0].headers["traceparent"].endswith("-00")


async def test_probes_are_not_traced(traced: Traced) -> None:
    """They come every few seconds and would drown the rest."""
    assert (await traced.rest.get("/livez")).status_code == 200
    assert await traced.none()
