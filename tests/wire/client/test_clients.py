"""The sync and the async client against a real gRPC server."""

from __future__ import annotations

import asyncio

import grpc
import pytest

from pointsman.client import AsyncClient, Client, RouteError, Unreachable
from pointsman.runtime.errors import BackendFailed, InvalidModelString, Overloaded, Unavailable
from pointsman.v1 import chat_pb2, routing_pb2
from pointsman.v1 import route_service_pb2 as pb
from tests.support.canary import KEY
from tests.wire.client.callers import Caller
from tests.wire.client.scripted import DECISION, RECEIPT, REQUEST_ID, ScriptedRouteService, serve

HELLO = [{"role": "user", "content": "你好"}]


async def test_route_sends_the_prompt_and_brings_the_decision(caller: Caller, service: ScriptedRouteService, address: str) -> None:
    """The contract's own messages, typed."""
    answer = await caller.call(address, "route", "2+2", model="router-mf-0.5")
    assert answer == pb.RouteResponse(decision=DECISION, receipt=RECEIPT)
    assert service.requests == [pb.RouteRequest(routing=routing_pb2.RoutingSpec(model="router-mf-0.5"), prompt="2+2")]


async def test_batches_comparisons_and_lists_are_calls_of_their_own(caller: Caller, service: ScriptedRouteService, address: str) -> None:
    """Each has its request and its answer, in order."""
    batch = await caller.call(address, "route_batch", ["a", "b"], strategies=["mf"], threshold=0.1)
    opinions = await caller.call(address, "compare_strategies", messages=HELLO, strategies=["mf", "random"])
    listed = await caller.call(address, "list_strategies")
    assert len(batch.results) == 2
    assert [opinion.strategy for opinion in opinions.opinions] == ["mf", "random"]
    assert [(strategy.name, strategy.ready) for strategy in listed.strategies] == [("mf", True), ("random", False)]
    assert [type(request).__name__ for request in service.requests] == [
        "RouteBatchRequest",
        "CompareStrategiesRequest",
        "ListStrategiesRequest",
    ]


async def test_a_chat_is_sent_as_given_and_answered_whole(caller: Caller, service: ScriptedRouteService, address: str) -> None:
    """Messages, parameters and routing arrive; text and receipt come back."""
    answer = await caller.call(address, "chat", HELLO, model="router-mf-0.5", temperature=0.0)
    assert answer.choices[0].message.content == "Paris"
    assert answer.receipt == RECEIPT
    sent = chat_pb2.Chat(messages=[chat_pb2.ChatMessage(role="user", content="你好")], temperature=0.0)
    assert service.requests == [pb.ChatCompletionRequest(routing=routing_pb2.RoutingSpec(model="router-mf-0.5"), chat=sent)]


async def test_a_stream_gives_the_first_choices_text_and_then_the_receipt(caller: Caller, address: str) -> None:
    """Pieces as they were sent, the other choices' left out."""
    assert await caller.stream_text(address, HELLO, model="router-mf-0.5") == (["Pa", "ris"], None, RECEIPT)


async def test_a_cut_stream_raises_after_its_text_and_keeps_the_receipt(
    caller: Caller, service: ScriptedRouteService, address: str
) -> None:
    """What came stands; the error comes after it, and the receipt is there."""
    service.cut = True
    pieces, error, receipt = await caller.stream_text(address, HELLO)
    assert pieces == ["Pa", "ris"]
    assert isinstance(error, RouteError)
    assert (error.reason, error.metadata["backend"], error.request_id) == ("BACKEND_CUT", "strong", REQUEST_ID)
    assert receipt is not None
    assert receipt.error == "BACKEND_CUT"


async def test_the_raw_events_of_a_stream_are_there_too(service: ScriptedRouteService, address: str) -> None:
    """Chunks, the error and the receipt, as the contract has them."""
    service.cut = True
    async with AsyncClient(address) as client:
        kinds = [event.WhichOneof("event") async for event in client.stream_chat(HELLO)]
    assert kinds == ["chunk", "chunk", "error", "receipt"]


async def test_a_refusal_brings_code_reason_message_facts_and_request_id(
    caller: Caller, service: ScriptedRouteService, address: str
) -> None:
    """All that the service says of an error reaches the caller in one exception."""
    service.failures = [InvalidModelString("model 'gpt-4': not a router", param="model")]
    with pytest.raises(RouteError) as raised:
        await caller.call(address, "chat", HELLO, model="gpt-4")
    error = raised.value
    assert (error.code, error.reason, error.message) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_MODEL_STRING",
        "model 'gpt-4': not a router",
    )
    assert (error.metadata["param"], error.metadata["http_status"], error.request_id) == ("model", "400", REQUEST_ID)
    assert not isinstance(error, Unreachable)


async def test_a_stream_that_is_refused_raises_the_same(caller: Caller, service: ScriptedRouteService, address: str) -> None:
    """On the first piece, without a receipt."""
    service.failures = [Overloaded("full", retry_after_s=2)]
    pieces, error, receipt = await caller.stream_text(address, HELLO)
    assert isinstance(error, RouteError)
    assert (pieces, error.reason, error.metadata["retry_after_s"], receipt) == ([], "OVERLOADED", "2", None)


async def test_an_error_without_details_is_told_with_what_there_is(caller: Caller, service: ScriptedRouteService, address: str) -> None:
    """Something that isn't Pointsman may answer at the address."""
    service.failures = [grpc.StatusCode.UNAUTHENTICATED]
    with pytest.raises(RouteError, match=f"Pointsman at {address} failed without saying why: UNAUTHENTICATED, no details") as raised:
        await caller.call(address, "list_strategies")
    assert (raised.value.code, raised.value.reason) == (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_nobody_at_the_address_is_unreachable(caller: Caller) -> None:
    """Told apart from a service that is there and says UNAVAILABLE, and named with the address."""
    with pytest.raises(Unreachable, match=r"Pointsman at 127\.0\.0\.1:1 can't be reached"):
        await caller.call("127.0.0.1:1", "list_strategies")


async def test_the_timeout_is_the_calls_deadline(caller: Caller, service: ScriptedRouteService, address: str) -> None:
    """The server sees it, so that the rest of the way can keep to it; the client's own is the default."""
    await caller.call(address, "route", "x", timeout=1000)
    await caller.call(address, "route", "x")
    # gRPC rounds a timeout up on the wire, by a percent or so.
    assert 900 < service.deadlines[0] < 1100
    assert 0 < service.deadlines[1] < 40


async def test_metadata_of_a_call_goes_with_it_beside_the_clients_own(caller: Caller, service: ScriptedRouteService, address: str) -> None:
    """Such as a request id of one's own, or a trace's; on whole answers and streams."""
    own = {"X-Pointsman-Request-Id": "mine-1", "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    await caller.call(address, "route", "x", metadata=own, access={"api_key": KEY})
    await caller.stream_text(address, HELLO, metadata=own, access={"api_key": KEY})
    await caller.call(address, "list_strategies")
    for came in service.metadata[:2]:
        assert (came["x-pointsman-request-id"], came["traceparent"]) == tuple(own.values())
        assert came["authorization"] == f"Bearer {KEY}"
    assert "traceparent" not in service.metadata[2]


async def test_a_passed_deadline_is_a_route_error_and_the_server_hears_of_it(
    caller: Caller, service: ScriptedRouteService, address: str
) -> None:
    """DEADLINE_EXCEEDED, and the call is cancelled at the server."""
    service.hangs = True
    with pytest.raises(RouteError) as raised:
        await caller.call(address, "chat", HELLO, timeout=0.2)
    assert (raised.value.code, raised.value.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")
    await asyncio.wait_for(service.cancelled.wait(), 30)


async def test_a_decision_is_asked_again_where_the_service_was_unavailable(
    caller: Caller, service: ScriptedRouteService, address: str
) -> None:
    """It costs nothing twice; the channel does it, so a restart in between isn't noticed."""
    service.failures = [grpc.StatusCode.UNAVAILABLE, Unavailable("starting")]
    assert (await caller.call(address, "route", "x")).decision == DECISION
    assert len(service.requests) == 3


@pytest.mark.parametrize("failure", [BackendFailed("500"), Overloaded("full")], ids=["unavailable chat", "overload"])
async def test_a_chat_is_not_asked_again(
    failure: BackendFailed | Overloaded, caller: Caller, service: ScriptedRouteService, address: str
) -> None:
    """The controller has retried already; more load doesn't mend an overload."""
    service.failures = [failure]
    with pytest.raises(RouteError, match=failure.message):
        await caller.call(address, "chat", HELLO)
    assert len(service.requests) == 1


async def test_leaving_a_stream_cancels_it_at_the_server(service: ScriptedRouteService, address: str) -> None:
    """Sync and async: the caller that has read enough stops the backend too."""
    service.hangs = True
    async with AsyncClient(address) as client:
        async with client.stream_chat(HELLO) as answer:
            assert (await anext(aiter(answer))).chunk.deltas[0].content == "Pa"
        await asyncio.wait_for(service.cancelled.wait(), 30)
    service.cancelled.clear()

    def read_one() -> str:
        with Client(address) as client, client.stream_chat(HELLO) as answer:
            return next(answer.text())

    assert await asyncio.to_thread(read_one) == "Pa"
    await asyncio.wait_for(service.cancelled.wait(), 30)


async def test_a_cancelled_task_is_cancelled_and_not_failed(service: ScriptedRouteService, address: str) -> None:
    """Under asyncio's own timeout the call ends as asyncio expects, and the server hears of it."""
    service.hangs = True
    async with AsyncClient(address) as client:
        for _ in range(20):  # grpc.aio gets it wrong two times in three
            service.cancelled.clear()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await client.chat(HELLO)
    async with AsyncClient(address) as client:
        task = asyncio.create_task(client.route("x"))
        seen = len(service.requests)
        while len(service.requests) == seen:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await asyncio.wait_for(service.cancelled.wait(), 30)


async def test_credentials_make_the_connection_secure(caller: Caller, service: ScriptedRouteService) -> None:
    """They go to the channel as they are; a client without them doesn't get through to a server that asks for them."""
    async with serve(service, grpc.local_server_credentials()) as address:
        answer = await caller.call(address, "route", "x", access={"credentials": grpc.local_channel_credentials()})
        assert answer.decision == DECISION


async def test_one_client_serves_many_tasks_at_once(service: ScriptedRouteService, address: str) -> None:
    """One channel, many calls; each has its own answer."""
    async with AsyncClient(address) as client:
        answers = await asyncio.gather(*(client.route_batch(["x"] * count) for count in range(20)))
    assert [len(answer.results) for answer in answers] == list(range(20))
