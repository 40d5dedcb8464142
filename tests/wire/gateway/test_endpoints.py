"""Everything beside chat: models, probes, and what isn't there."""

from __future__ import annotations

import asyncio

import httpx
import openai
import pytest

from gateway.service import Gateway, serving
from tests.wire.gateway.conftest import client_of, settings_for
from tests.wire.gateway.scripted_controller import ScriptedController, controller_on, strategy


async def _readyz_when(rest: httpx.AsyncClient, status: int) -> dict[str, object]:
    while (answer := await rest.get("/readyz")).status_code != status:
        await asyncio.sleep(0.02)
    body: dict[str, object] = answer.json()
    return body


async def test_models_are_listed_by_the_official_client(gateway: Gateway, controller: ScriptedController) -> None:
    """Each strategy, its calibrated shares, the policies, and backends that may be named."""
    controller.strategies = [strategy("mf", shares=[0.3, 0.125, 0.3]), strategy("random", ready=False)]
    controller.policies, controller.backends = ["support-bot"], ["gpt-x"]
    async with openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{gateway.rest_port}/v1", api_key="canary-key") as client:
        models = [model async for model in await client.models.list()]
        assert [model.id for model in models] == [
            "router-mf-0.5",
            "router-mf-30pct",
            "router-mf-12.5pct",
            "router-random-0.5",
            "router:support-bot",
            "gpt-x",
        ]
        assert {model.owned_by for model in models} == {"pointsman"}
        assert (await client.models.retrieve("router-mf-0.123")).id == "router-mf-0.123"
        with pytest.raises(openai.NotFoundError, match="router-nope"):
            await client.models.retrieve("router-nope-0.5")


async def test_health_and_livez_answer_whatever_the_controller_does() -> None:
    """They speak of this process alone."""
    async with controller_on(ScriptedController()) as gone:
        port = gone.port
    async with serving(settings_for(port)) as gateway, client_of(gateway) as rest:
        assert (await rest.get("/health")).json() == {"status": "online"}
        assert (await rest.get("/livez")).status_code == 200
        assert (await rest.get("/v1/models")).status_code == 503


async def test_readyz_says_what_is_missing(rest: httpx.AsyncClient, controller: ScriptedController) -> None:
    """Ready while one strategy is, for the others' callers have their own fallback; each has its own reason when it isn't."""
    assert await _readyz_when(rest, 200) == {
        "ready": True,
        "gateway": "ok",
        "controller": "ok",
        "strategies": {"mf": "ready", "random": "ready"},
    }
    controller.strategies = [strategy("mf", ready=False, detail="no replica"), strategy("random")]
    while (body := await _readyz_when(rest, 200))["strategies"] != {"mf": "no replica", "random": "ready"}:
        await asyncio.sleep(0.02)
    assert body["ready"] is True
    controller.strategies = [strategy("mf", ready=False, detail="no replica"), strategy("random", ready=False, detail="not deployed")]
    assert await _readyz_when(rest, 503) == {
        "ready": False,
        "gateway": "ok",
        "controller": "ok",
        "strategies": {"mf": "no replica", "random": "not deployed"},
    }
    controller.strategies = []
    while (await _readyz_when(rest, 503))["strategies"]:
        await asyncio.sleep(0.02)


async def test_readyz_says_that_the_controller_cant_be_reached() -> None:
    """And names no strategy, since nobody knows."""
    async with controller_on(ScriptedController()) as gone:
        port = gone.port
    async with serving(settings_for(port)) as gateway, client_of(gateway) as rest:
        while "not asked yet" in str((body := await _readyz_when(rest, 503))["controller"]):
            await asyncio.sleep(0.02)
    assert str(body["controller"]).startswith("unreachable: ")
    assert body["strategies"] == {}


@pytest.mark.parametrize(
    "path",
    [
        "/page",
        "/page/",
        "/page/nothing.js",
        "/page/../service.py",
        "/v1/completion",
        "/v1/chat/completions/",
        "/v1/chat",
        "/metrics/x",
        "/%2e%2e/etc",
    ],
)
async def test_an_unknown_path_is_a_404_in_openais_shape(rest: httpx.AsyncClient, path: str) -> None:
    """With a request id like every answer."""
    answer = await rest.get(path)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"
    assert answer.headers["x-pointsman-request-id"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/v1/chat/completions", "POST"), ("DELETE", "/v1/models", "GET, HEAD"), ("POST", "/v1/models/x", "GET, HEAD")],
)
async def test_a_wrong_method_is_a_405_that_names_the_right_ones(rest: httpx.AsyncClient, method: str, path: str, allowed: str) -> None:
    """In OpenAI's shape and in the allow header."""
    answer = await rest.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    assert method in answer.json()["error"]["message"]


async def test_metrics_have_bounded_labels(rest: httpx.AsyncClient) -> None:
    """Paths, methods and models that a caller invents don't make new series."""
    await rest.get("/nothing/canary-path?canary-query")
    await rest.get("/v1/models/canary-model")
    await rest.request("BREW", "/health")
    text = (await rest.get("/metrics")).text
    assert "canary" not in text
    assert "BREW" not in text
    assert 'pointsman_gateway_requests_total{endpoint="unmatched",method="GET",protocol="rest",status="4xx"} 1.0' in text
    assert 'endpoint="/v1/models/{model_id:path}"' in text


async def test_the_access_log_has_names_and_numbers_only(rest: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]) -> None:
    """Endpoint, status, id and decision; no body, no header, no query."""
    secret = {"authorization": "Bearer canary-key", "x-request-id": "the-id"}
    await rest.post("/v1/chat/completions?canary-query", content=b'{"messages": "canary prompt"}', headers=secret)
    logged = capsys.readouterr().out
    for expected in ("endpoint=/v1/chat/completions", "status=200", "request_id=the-id", "tier=strong", "reason=comparison", "strategy=mf"):
        assert expected in logged
    assert "canary" not in logged
