"""Every RPC through the gateway: its errors have details, its deadline and its cancellation reach the scorer and the backend."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import grpc
import pytest

from pointsman.runtime.error_forms import error_info, status_of
from pointsman.v1 import error_pb2, route_service_pb2, routing_pb2
from tests.support.backend import hanging, streaming
from tests.wire.pass_through.conftest import Edge

SPEC: Final = routing_pb2.RoutingSpec(model="router-mf-1")
BODY: Final = b'{"model":"router-mf-1","messages":[{"role":"user","content":"hi"}]}'
STREAM: Final = BODY[:-1] + b',"stream":true}'
GOOD: Final[dict[str, Any]] = {
    "Route": route_service_pb2.RouteRequest(routing=SPEC, prompt="hi"),
    "RouteBatch": route_service_pb2.RouteBatchRequest(routing=SPEC, prompts=["a", "b"]),
    "CompareStrategies": route_service_pb2.CompareStrategiesRequest(prompt="hi"),
    "ChatCompletion": route_service_pb2.ChatCompletionRequest(body=BODY),
    "StreamChatCompletion": route_service_pb2.StreamChatCompletionRequest(body=STREAM),
    "Relay": route_service_pb2.RelayRequest(endpoint="chat/completions", body=BODY),
}
WITH_BACKEND: Final = ("ChatCompletion", "StreamChatCompletion", "Relay")
BAD: Final[list[tuple[str, Any, str, str]]] = [
    ("Route", route_service_pb2.RouteRequest(), "INVALID_REQUEST", "input"),
    ("RouteBatch", route_service_pb2.RouteBatchRequest(routing=SPEC, prompts=["x"] * 1025), "INVALID_REQUEST", "prompts"),
    ("CompareStrategies", route_service_pb2.CompareStrategiesRequest(prompt="x", strategies=["no"]), "UNKNOWN_STRATEGY", "strategies"),
    ("ChatCompletion", route_service_pb2.ChatCompletionRequest(body=b'{"model":"gpt-4","messages":[]}'), "INVALID_BODY", "messages"),
    ("StreamChatCompletion", route_service_pb2.StreamChatCompletionRequest(), "INVALID_REQUEST", "request"),
    ("Relay", route_service_pb2.RelayRequest(endpoint="nowhere"), "NOT_FOUND", ""),
]


async def outcome(call: Any) -> None:
    """Takes the call to its end, whichever sort it is."""
    if hasattr(call, "__aiter__"):
        async for _ in call:
            pass
    else:
        await call


async def eventually(holds: Any) -> None:
    """Waits until it holds; the test's own time limit ends a wait in vain."""
    while not holds():
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(("method", "request_", "reason", "param"), BAD, ids=[method for method, *_ in BAD])
async def test_an_error_has_its_details(edge: Edge, method: str, request_: Any, reason: str, param: str) -> None:
    """ErrorInfo with the caller's request id, and BadRequest for a field at fault."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await outcome(getattr(edge.stub, method)(request_, metadata=(("x-request-id", "mine"),)))
    status = status_of(caught.value)
    info = error_info(status)
    assert (info.reason, info.domain, info.metadata["request_id"]) == (reason, "pointsman", "mine")
    assert info.metadata.get("param", "") == param
    assert status.code == caught.value.code().value[0]
    fields = [
        error_pb2.BadRequest.FromString(each.value).field_violations[0].field for each in status.details if "BadRequest" in each.type_url
    ]
    assert fields == ([param] if param else [])


@pytest.mark.parametrize("method", GOOD)
async def test_a_cancelled_call_is_cancelled_at_the_scorer(edge: Edge, method: str) -> None:
    """While it is scored: nobody else waits for that batch."""
    edge.scorers.delay_s = 30
    call = getattr(edge.stub, method)(GOOD[method])
    taking = asyncio.ensure_future(outcome(call))
    await eventually(lambda: edge.scorers.batches)
    call.cancel()
    await asyncio.gather(taking, return_exceptions=True)
    await eventually(lambda: edge.scorers.cancelled == len(edge.scorers.batches))


@pytest.mark.parametrize("deadline", [None, 0.3], ids=["cancelled", "late"])
@pytest.mark.parametrize("method", WITH_BACKEND)
async def test_a_call_that_ends_early_hangs_up_on_the_backend(edge: Edge, method: str, deadline: float | None) -> None:
    """While it is answered, by the caller's will or by its deadline."""
    edge.weak.script = hanging
    call = getattr(edge.stub, method)(GOOD[method], timeout=deadline)
    taking = asyncio.ensure_future(outcome(call))
    await eventually(lambda: edge.weak.received)
    if deadline is None:
        call.cancel()
    await asyncio.gather(taking, return_exceptions=True)
    assert (await call.code()) is (grpc.StatusCode.CANCELLED if deadline is None else grpc.StatusCode.DEADLINE_EXCEEDED)
    await edge.weak.gone.wait()


async def test_others_that_wait_for_the_same_batch_keep_it(edge: Edge) -> None:
    """One of two coalesced callers leaves, and the other has its answer."""
    edge.scorers.delay_s = 0.3
    first = edge.stub.Route(GOOD["Route"])
    await eventually(lambda: edge.scorers.batches)
    second, third = (edge.stub.Route(GOOD["Route"]) for _ in range(2))
    await eventually(lambda: len(edge.scorers.batches) == 2)
    second.cancel()
    assert (await third).decision.strong_win_rate == (await first).decision.strong_win_rate == 0.4
    assert edge.scorers.cancelled == 0


async def test_a_scorer_that_hangs_leaves_the_backend_its_time(edge: Edge) -> None:
    """Of one deadline of two seconds scoring may take half; the backend, which needs a part of the other half, answers within it."""
    edge.scorers.delay_s = 30
    edge.strong.script = streaming([b'data: {"choices":[]}\n\n'] * 3, pause_s=0.1)
    answer = await edge.post("chat/completions", {"x-request-timeout": "2"}, messages=[{"role": "user", "content": "hi"}], stream=True)
    assert (answer.status_code, answer.headers["x-pointsman-reason"]) == (200, "scorer_timeout")
    assert answer.content == b'data: {"choices":[]}\n\n' * 3
    while edge.scorers.at_once:  # the call at the scorer ends with the time that it had
        await asyncio.sleep(0.01)


async def test_comparing_tells_which_strategy_failed_and_how(edge: Edge) -> None:
    """One that hangs doesn't fail the one that answers."""
    edge.scorers.delays_s = {"random": 30}
    compared = await edge.stub.CompareStrategies(GOOD["CompareStrategies"], timeout=1)
    opinions = {opinion.strategy: opinion for opinion in compared.opinions}
    assert opinions["mf"].strong_win_rate == 0.4
    assert opinions["random"].failure == routing_pb2.REASON_SCORER_TIMEOUT
    assert not opinions["random"].HasField("strong_win_rate")
