"""Whatever fails, the caller gets OpenAI's error shape, a status that says whose fault it is, and the request's id."""

from __future__ import annotations

import asyncio
import contextlib

import httpx
import openai
import pytest

from gateway.service import Gateway, serving
from pointsman.runtime import errors
from pointsman.runtime.error_forms import to_status
from pointsman.runtime.errors import PointsmanError, wire_form
from pointsman.v1 import route_service_pb2
from tests.wire.gateway.conftest import client_of, eventually, settings_for
from tests.wire.gateway.scripted_controller import (
    SSE,
    STREAMING,
    Context,
    Event,
    ScriptedController,
    controller_on,
    finished,
    plays,
    sends,
    started,
)

PATH = "/v1/chat/completions"
SORTS: list[PointsmanError] = [
    errors.InvalidBody("not JSON"),
    errors.InvalidModelString("model 'gpt-4'", param="model"),
    errors.UnknownStrategy("no strategy nope", param="model"),
    errors.BodyTooLarge("long"),
    errors.NotFound("no endpoint"),
    errors.Overloaded("full", retry_after_s=1.5),
    errors.Unimplemented("later"),
    errors.ScoringFailed("no scorer"),
    errors.DeadlineExceeded("late"),
    errors.InternalError(),
    errors.BackendAuth("key", backend="b"),
    errors.BackendRateLimited("slow down", retry_after_s=7),
    errors.BackendUnreachable("gone"),
    errors.BackendFailed("500"),
    errors.BackendTimeout("slow"),
]
CUT = Event(error=to_status(errors.BackendCut("The backend stopped in the middle.")))


@pytest.mark.parametrize("error", SORTS, ids=lambda error: type(error).__name__)
async def test_an_error_before_the_answer_keeps_its_words_and_gets_its_status(
    rest: httpx.AsyncClient, controller: ScriptedController, error: PointsmanError
) -> None:
    """Each sort of error by the one table, in OpenAI's shape, with retry-after where it says when."""
    controller.relay = plays(error)
    answer = await rest.post(PATH, content=b"{}", headers={"x-request-id": "me"})
    form = wire_form(error)
    assert answer.status_code == form.http_status
    assert answer.json() == {
        "error": {"message": error.message, "type": form.openai_type, "param": error.param, "code": form.reason.lower()}
    }
    assert answer.headers["x-pointsman-request-id"] == "me"
    assert ("retry-after" in answer.headers) == (error.retry_after_s is not None)
    assert len(controller.requests) == 1


async def test_an_error_in_the_middle_of_a_stream_is_its_last_event(gateway: Gateway, controller: ScriptedController) -> None:
    """What came before stands, no [DONE] follows, and the official client raises."""
    chunk = b'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"delta":{"content":"a"}}]}\n\n'
    controller.relay = plays(started(headers=SSE), chunk, CUT, finished())
    async with openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{gateway.rest_port}/v1", api_key="canary-key", max_retries=0) as client:
        stream = await client.chat.completions.create(model="router-mf-0.1", messages=[], stream=True)
        got: list[str | None] = []

        async def read() -> None:
            async for piece in stream:
                got.append(piece.choices[0].delta.content)

        with pytest.raises(openai.APIError, match="stopped in the middle"):
            await read()
    assert got == ["a"]


async def test_an_error_event_stands_apart_from_half_an_event(rest: httpx.AsyncClient, controller: ScriptedController) -> None:
    """A backend that was cut inside an event doesn't swallow ours; the receipt still comes last."""
    controller.relay = plays(started(headers=SSE), b'data: {"id', CUT, finished())
    answer = await rest.post(PATH, content=STREAMING, headers={"x-pointsman-receipt": "true"})
    half, error, receipt, _ = answer.text.split("\n\n")
    assert half == 'data: {"id'
    assert '"code": "backend_cut"' in error
    assert receipt.startswith(": pointsman-receipt ")
    assert "[DONE]" not in answer.text


@pytest.mark.parametrize("length", [True, False], ids=["with a length", "chunked"])
async def test_half_a_whole_answer_never_ends_cleanly(rest: httpx.AsyncClient, controller: ScriptedController, length: bool) -> None:
    """The connection is cut, so that no client takes half an answer for a whole one; the next request works."""
    headers = {"content-type": "application/json"} | ({"content-length": "100"} if length else {})
    controller.relay = plays(started(headers=headers), b'{"half":', CUT, finished())
    with pytest.raises(httpx.RemoteProtocolError):
        await rest.post(PATH, content=STREAMING)
    controller.relay = sends([b"{}"])
    assert (await rest.post(PATH, content=b"{}")).status_code == 200


async def test_a_deadline_that_passes_between_head_and_body_is_told(rest: httpx.AsyncClient, controller: ScriptedController) -> None:
    """Nothing was sent yet, so it is no cut connection."""

    async def no_body(request: route_service_pb2.RelayRequest, context: Context) -> None:
        await context.write(started(headers={"content-type": "application/json", "content-length": "2"}))
        await asyncio.Event().wait()

    controller.relay = no_body
    answer = await rest.post(PATH, content=STREAMING, headers={"x-request-timeout": "0.3"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "deadline_exceeded")
    assert answer.headers["x-pointsman-tier"] == "strong"


async def test_half_an_answer_that_was_held_back_becomes_an_error_with_a_status(
    rest: httpx.AsyncClient, controller: ScriptedController
) -> None:
    """Where the receipt was asked for in a header, nothing was sent yet when the backend was cut."""
    controller.relay = plays(started(), b'{"half":', CUT, finished())
    answer = await rest.post(PATH, content=b"{}", headers={"x-pointsman-receipt": "true"})
    assert answer.status_code == 502
    assert answer.json()["error"]["code"] == "backend_cut"


async def test_a_relay_that_ends_without_its_last_event_is_no_whole_answer(rest: httpx.AsyncClient, controller: ScriptedController) -> None:
    """`finished` is what says that the answer is complete."""
    controller.relay = plays(started(headers=SSE), b"data: 1\n\n")
    answer = await rest.post(PATH, content=STREAMING)
    assert answer.text.startswith('data: 1\n\ndata: {"error"')


async def test_a_controller_that_breaks_the_contract_is_one_fixed_sentence(rest: httpx.AsyncClient, controller: ScriptedController) -> None:
    """Bytes before `started` are never passed on."""
    controller.relay = plays(b"early", started(), finished())
    answer = await rest.post(PATH, content=STREAMING)
    assert answer.status_code == 500
    assert answer.json()["error"]["message"] == errors.InternalError().message


async def test_an_undeclared_failure_is_one_fixed_sentence_and_the_next_request_works(
    rest: httpx.AsyncClient, controller: ScriptedController, capsys: pytest.CaptureFixture[str]
) -> None:
    """A backend's content-length that is too short breaks the answer inside the gateway; the log has the stack, not the body."""
    controller.relay = sends([b"{}"], headers={"content-type": "x", "content-length": "1"})
    with pytest.raises(httpx.RemoteProtocolError):
        await rest.post(PATH, content=b'{"canary": 1, "stream": true}')
    assert (await rest.get("/health")).status_code == 200
    logged = capsys.readouterr().out
    assert "undeclared error" in logged
    assert "canary" not in logged


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-pointsman-tier", "medium"),
        ("x-pointsman-strong-share", "nan"),
        ("x-pointsman-max-quality-loss", "2"),
        ("x-pointsman-receipt", "maybe"),
        ("x-request-timeout", "0"),
        ("x-request-timeout", "-1"),
        ("x-request-timeout", "nan"),
        ("x-request-timeout", "inf"),
        ("x-request-timeout", "1e9"),
        ("x-request-timeout", "soon"),
    ],
)
async def test_a_wrong_header_is_named(rest: httpx.AsyncClient, controller: ScriptedController, name: str, value: str) -> None:
    """400, `param` names the header, and the controller isn't bothered."""
    answer = await rest.post(PATH, content=b"{}", headers={name: value})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == name
    assert controller.requests == []


async def test_a_deadline_that_passes_is_a_timeout(rest: httpx.AsyncClient, controller: ScriptedController) -> None:
    """504 from the edge itself, and the controller's call is cancelled."""

    async def hangs(request: route_service_pb2.RelayRequest, context: Context) -> None:
        await asyncio.Event().wait()

    controller.relay = hangs
    answer = await rest.post(PATH, content=b"{}", headers={"x-request-timeout": "0.05"})
    assert answer.status_code == 504
    assert answer.json()["error"]["type"] == "timeout_error"
    await controller.cancelled.wait()


async def test_a_dead_controller_is_unavailable_and_found_again_when_it_returns() -> None:
    """503 in shape with retry-after; the same gateway answers once the controller is back on its port."""
    async with controller_on(ScriptedController()) as first:
        port = first.port
    async with serving(settings_for(port)) as gateway, client_of(gateway) as rest:
        refused = await rest.post(PATH, content=b"{}")
        assert refused.status_code == 503
        assert refused.json()["error"]["type"] == "server_error"
        assert refused.headers["retry-after"] == "1"
        async with controller_on(ScriptedController(), port):
            while (await rest.get("/readyz")).status_code != 200:
                await asyncio.sleep(0.05)
            assert (await rest.post(PATH, content=b"{}")).status_code == 200


@pytest.mark.parametrize("begun", [False, True], ids=["before the answer", "in a stream"])
async def test_a_controller_that_stops_during_a_call_is_unavailable(begun: bool) -> None:
    """A status where there is still one to send, else the stream's last event."""
    controller = ScriptedController()

    async def hangs(request: route_service_pb2.RelayRequest, context: Context) -> None:
        if begun:
            await context.write(started(headers=SSE))
        await asyncio.Event().wait()

    controller.relay = hangs
    async with contextlib.AsyncExitStack() as stack:
        running = await stack.enter_async_context(contextlib.AsyncExitStack())
        await running.enter_async_context(controller_on(controller))
        gateway = await stack.enter_async_context(serving(settings_for(controller.port)))
        rest = await stack.enter_async_context(client_of(gateway))
        request = asyncio.create_task(rest.post(PATH, content=STREAMING))
        await controller.running.wait()
        await running.aclose()
        answer = await request
    assert answer.status_code == (200 if begun else 503)
    assert '"code": "unavailable"' in answer.text


async def test_two_controllers_take_turns_and_one_alone_carries_on() -> None:
    """Round robin; when one is gone, the other answers everything."""
    one, two = ScriptedController(), ScriptedController()
    async with controller_on(one):
        async with controller_on(two), serving(settings_for(one.port, two.port)) as gateway, client_of(gateway) as rest:
            while not (one.requests and two.requests):
                assert (await rest.post(PATH, content=b"{}")).status_code == 200
        async with serving(settings_for(one.port, two.port)) as gateway, client_of(gateway) as rest:
            before = len(one.requests)
            for _ in range(4):
                assert (await rest.post(PATH, content=b"{}")).status_code == 200
            await eventually(lambda: len(one.requests) == before + 4)
