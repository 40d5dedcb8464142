"""RouteService at the gateway: every call passes through with its id, deadline, metadata, errors and cancellation."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status

from gateway.service import Gateway, serving
from pointsman.runtime import errors
from pointsman.runtime.error_forms import error_info, status_of
from pointsman.runtime.grpc_server import ROUTE_SERVICE
from pointsman.v1 import admin_service_pb2, admin_service_pb2_grpc, route_service_pb2, route_service_pb2_grpc
from tests.wire.gateway.conftest import settings_for
from tests.wire.gateway.scripted_controller import DECISION, ScriptedController, controller_on, sends, strategy

if TYPE_CHECKING:
    from pointsman.v1.route_service_pb2_grpc import RouteServiceAsyncStub as Stub

Route = route_service_pb2.RouteRequest
Chat = route_service_pb2.StreamChatCompletionRequest


async def test_a_unary_call_passes_with_its_decision_as_initial_metadata(stub: Stub, controller: ScriptedController) -> None:
    """The message, the decision's keys, and the caller's own request id in both directions."""
    call = stub.Route(Route(prompt="x"), metadata=(("x-request-id", "mine"), ("authorization", "canary"), ("traceparent", "00-a-b-01")))
    assert (await call).decision == DECISION
    initial = dict(await call.initial_metadata())
    assert (initial["x-pointsman-tier"], initial["x-pointsman-strategy"]) == ("strong", "mf")
    assert initial["x-pointsman-request-id"] == "mine"
    assert controller.metadata[0]["x-pointsman-request-id"] == "mine"
    assert controller.metadata[0]["traceparent"] == "00-a-b-01"
    assert "authorization" not in controller.metadata[0]


async def test_a_call_without_its_message_and_one_that_is_too_long_are_the_callers_fault(channel: grpc.aio.Channel, stub: Stub) -> None:
    """Neither is an error inside."""
    start: Any = channel.stream_stream(f"/{ROUTE_SERVICE}/Route")
    empty = start()
    await empty.done_writing()
    assert await empty.code() is grpc.StatusCode.INVALID_ARGUMENT
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.ChatCompletion(route_service_pb2.ChatCompletionRequest(body=b" " * 2_000_000))
    assert caught.value.code() in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INVALID_ARGUMENT)


async def test_every_method_of_the_contract_reaches_the_controller(stub: Stub) -> None:
    """Also those that only it knows how to answer, or to refuse."""
    whole = await stub.ChatCompletion(route_service_pb2.ChatCompletionRequest(body=b"\xff\x00"))
    listed = await stub.ListStrategies(route_service_pb2.ListStrategiesRequest())
    relayed = [event.WhichOneof("event") async for event in stub.Relay(route_service_pb2.RelayRequest(body=b"{}"))]
    with pytest.raises(grpc.aio.AioRpcError, match="RouteBatch comes later"):
        await stub.RouteBatch(route_service_pb2.RouteBatchRequest())
    with pytest.raises(grpc.aio.AioRpcError, match="CompareStrategies comes later"):
        await stub.CompareStrategies(route_service_pb2.CompareStrategiesRequest())
    assert whole.body == b"\xff\x00"
    assert [each.name for each in listed.strategies] == ["mf", "random"]
    assert relayed == ["started", "bytes", "finished"]


async def test_fields_that_the_gateway_doesnt_know_pass_through(channel: grpc.aio.Channel) -> None:
    """A newer caller and a newer controller understand each other through an older gateway."""
    unknown_field_99 = b"\x9a\x06\x03new"
    send: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/{ROUTE_SERVICE}/ChatCompletion")
    body = route_service_pb2.ChatCompletionRequest(body=unknown_field_99).SerializeToString()
    assert unknown_field_99 in await send(body + unknown_field_99)


async def test_a_stream_passes_message_by_message(stub: Stub, controller: ScriptedController) -> None:
    """Each as it comes, after the metadata, while the controller still works on the next."""
    call = stub.StreamChatCompletion(Chat(body=b"hang"))
    assert dict(await call.initial_metadata())["x-pointsman-model"] == "big-model"
    pieces = [(await anext(aiter(call))).chunk.raw for _ in range(2)]
    assert pieces == [b"one", b"two"]
    assert not controller.cancelled.is_set()
    call.cancel()
    await controller.cancelled.wait()


async def test_a_cancelled_unary_call_is_cancelled_at_the_controller(stub: Stub, controller: ScriptedController) -> None:
    """Nobody waits, so nothing runs on."""
    call = stub.Route(Route(prompt="hang"))
    await controller.running.wait()
    call.cancel()
    await controller.cancelled.wait()


async def test_the_callers_deadline_is_the_controllers(stub: Stub, controller: ScriptedController) -> None:
    """What remains of it travels; without one the settings' holds."""
    await stub.Route(Route(prompt="x"), timeout=7)
    await stub.Route(Route(prompt="x"))
    assert 0 < controller.time_remaining[0] < 8
    assert 8 < controller.time_remaining[1] < 31
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Route(Route(prompt="hang"), timeout=0.05)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await controller.cancelled.wait()


async def test_an_error_keeps_its_code_words_and_details(stub: Stub, controller: ScriptedController) -> None:
    """As any rich-error library reads them; the request id comes with them."""
    controller.failure = errors.UnknownStrategy("no strategy nope", param="model")
    call = stub.Route(Route(prompt="x"), metadata=(("x-request-id", "mine"),))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.INVALID_ARGUMENT, "no strategy nope")
    assert dict(caught.value.trailing_metadata())["x-pointsman-request-id"] == "mine"
    assert error_info(status_of(caught.value)).reason == "UNKNOWN_STRATEGY"


async def test_grpcio_status_reads_the_details(gateway: Gateway, controller: ScriptedController) -> None:
    """Google's own helper, from a synchronous client."""
    controller.failure = errors.InvalidModelString("what is wrong", param="model")

    def ask() -> grpc.RpcError:
        with grpc.insecure_channel(f"127.0.0.1:{gateway.grpc_port}") as channel, pytest.raises(grpc.RpcError) as caught:
            route_service_pb2_grpc.RouteServiceStub(channel).Route(Route(prompt="x"))
        return caught.value

    status = rpc_status.from_call(await asyncio.to_thread(ask))  # type: ignore[arg-type]
    assert status is not None
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    assert status.details[0].Unpack(info)
    assert status.details[1].Unpack(bad)
    assert (info.reason, info.domain) == ("INVALID_MODEL_STRING", "pointsman")
    assert bad.field_violations[0].field == "model"


async def test_a_stream_that_fails_keeps_what_came_before(stub: Stub, controller: ScriptedController) -> None:
    """Two pieces, then the error with its details."""
    controller.failure = errors.BackendTimeout("too slow")
    call = stub.StreamChatCompletion(Chat())
    pieces: list[bytes] = []

    async def read() -> None:
        async for event in call:
            pieces.append(event.chunk.raw)

    with pytest.raises(grpc.aio.AioRpcError, match="too slow") as caught:
        await read()
    assert pieces == [b"one", b"two"]
    assert error_info(status_of(caught.value)).reason == "BACKEND_TIMEOUT"


async def test_a_controller_that_says_not_to_isnt_asked_again(stub: Stub, controller: ScriptedController) -> None:
    """UNAVAILABLE of a backend is the controller's last word; only a controller that isn't there is tried again."""
    controller.failure = errors.BackendUnreachable("gone")
    with pytest.raises(grpc.aio.AioRpcError, match="gone"):
        await stub.Route(Route(prompt="x"))
    assert len(controller.metadata) == 1


async def test_a_dead_controller_is_unavailable_with_details() -> None:
    """In our own words, since nobody else can speak."""
    async with controller_on(ScriptedController()) as gone:
        port = gone.port
    async with serving(settings_for(port)) as gateway, grpc.aio.insecure_channel(f"127.0.0.1:{gateway.grpc_port}") as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await route_service_pb2_grpc.RouteServiceStub(channel).Route(Route(prompt="x"))
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert error_info(status_of(caught.value)).reason == "UNAVAILABLE"


async def test_a_call_that_was_lost_on_the_way_is_tried_again(stub: Stub, controller: ScriptedController) -> None:
    """A controller that says UNAVAILABLE without forbidding it is asked once more, and the caller sees only the answer."""
    tries = 0

    async def fails_once(request: route_service_pb2.RelayRequest, context: grpc.aio.ServicerContext[object, object]) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "starting")
        await sends([b"{}"])(request, context)

    controller.relay = fails_once
    events = [event.WhichOneof("event") async for event in stub.Relay(route_service_pb2.RelayRequest(body=b"{}"))]
    assert (events, tries) == (["started", "bytes", "finished"], 2)


async def test_admin_service_isnt_exposed(channel: grpc.aio.Channel) -> None:
    """Operators go to the controller."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await admin_service_pb2_grpc.AdminServiceStub(channel).Stats(admin_service_pb2.StatsRequest())
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_reflection_lists_the_services_and_knows_their_messages(channel: grpc.aio.Channel) -> None:
    """A client without stubs can call everything."""
    ask: Any = reflection_pb2.ServerReflectionRequest
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)  # type: ignore[arg-type]  # typed for synchronous channels alone
    requests = iter([ask(list_services=""), ask(file_containing_symbol=ROUTE_SERVICE)])
    listed, described = [answer async for answer in stub.ServerReflectionInfo(requests)]
    assert {service.name for service in listed.list_services_response.service} == {
        ROUTE_SERVICE,
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }
    assert described.file_descriptor_response.file_descriptor_proto


async def test_health_follows_readiness(channel: grpc.aio.Channel, controller: ScriptedController) -> None:
    """The process serves from the start; RouteService serves while every strategy is ready, and watchers are told."""
    stub: Any = health_pb2_grpc.HealthStub(channel)
    serving_, not_serving = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
    assert (await stub.Check(health_pb2.HealthCheckRequest())).status == serving_
    watch = stub.Watch(health_pb2.HealthCheckRequest(service=ROUTE_SERVICE))
    updates = aiter(watch)
    while (await anext(updates)).status != serving_:
        pass
    controller.strategies = [strategy("mf", ready=False)]
    assert (await anext(updates)).status == not_serving
    watch.cancel()


async def test_a_decision_whose_controller_dies_after_its_first_word_is_asked_for_again(stub: Stub, controller: ScriptedController) -> None:
    """gRPC's own retries end with the metadata; nothing has gone to the caller yet, and a decision costs nothing twice."""
    controller.dies_after_metadata = 2
    assert (await stub.Route(Route(prompt="x"))).decision == DECISION
    assert len(controller.metadata) == 3
    controller.dies_after_metadata = 3
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Route(Route(prompt="x"))
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert dict(caught.value.trailing_metadata())["x-pointsman-request-id"]
