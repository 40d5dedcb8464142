"""What doctor finds by asking: backends, Redis, controllers, scorers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health, health_pb2_grpc

from pointsman import __version__
from pointsman.cli.doctor.backends import backend
from pointsman.cli.doctor.finding import Finding, State
from pointsman.cli.doctor.redis import redis
from pointsman.cli.doctor.services import controllers, gateway, local_llms, strategies
from pointsman.runtime.backend_settings import BackendSettings
from pointsman.runtime.settings import Settings
from tests.support.backend import answering, scripted_backend
from tests.support.redis_server import redis_server
from tests.support.scorers import scripted_scorers

MODELS = b'{"object": "list", "data": [{"id": "big-model"}]}'


async def asked(settings: BackendSettings) -> Finding:
    """In a thread, as doctor does."""
    return await asyncio.to_thread(backend, "strong", settings)


@pytest.mark.parametrize(
    ("status", "body", "state", "said"),
    [
        (200, MODELS, State.WARNING, "lists 1 model without 'x-model'"),
        (200, MODELS.replace(b"big", b"x"), State.OK, "and has x-model"),
        (200, b"hello", State.OK, "answers in"),
        (401, b"", State.PROBLEM, "refuses the key of SOME_KEY (401)"),
        (404, b"", State.OK, "it has no list of models (404)"),
        (503, b"", State.WARNING, "with 503"),
    ],
)
async def test_a_backend_is_judged_by_its_list_of_models(
    monkeypatch: pytest.MonkeyPatch, status: int, body: bytes, state: State, said: str
) -> None:
    """Asked with the key, the headers and the query of requests; the key is told to nobody else."""
    monkeypatch.setenv("SOME_KEY", "sk-doctor")
    async with scripted_backend("x", answering(status, body)) as scripted:
        own = {"base_url": scripted.url, "model": "x-model", "key_env": "SOME_KEY", "query": {"api-version": "1"}, "headers": {"x-a": "b"}}
        finding = await asked(BackendSettings.model_validate(own))
    assert (finding.state, said in finding.said, "sk-doctor" in str(finding)) == (state, True, False)
    [received] = scripted.received
    assert (received.path, received.headers["authorization"], received.headers["x-a"]) == (
        "/v1/models?api-version=1",
        "Bearer sk-doctor",
        "b",
    )


async def test_a_backend_that_cannot_be_asked_is_a_problem(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody there, no key where one is named or wanted, a key that HTTP can't carry, no TLS."""
    for own, said in (
        ({"base_url": "http://127.0.0.1:1/v1"}, "127.0.0.1:1 can't be reached: Connection refused"),
        ({"base_url": "http://127.0.0.1:1/v1", "key_env": "NO_SUCH_KEY"}, "NO_SUCH_KEY"),
        ({"base_url": "http://127.0.0.1:1/v1", "key_env": "BROKEN_KEY"}, "what BROKEN_KEY or headers hold is nothing that HTTP can carry"),
    ):
        monkeypatch.setenv("BROKEN_KEY", "sk-a\nb: c")
        finding = await asked(BackendSettings.model_validate({**own, "model": "m"}))
        assert (finding.state, said in finding.said, bool(finding.advice)) == (State.PROBLEM, True, True)
        assert "sk-a" not in str(finding)
    async with scripted_backend("x", answering(401, b"")) as scripted:
        assert "wants a key (401), and none is named" in (await asked(scripted.settings)).said
        finding = await asked(scripted.settings.model_copy(update={"base_url": scripted.url.replace("http:", "https:")}))
    assert finding.state is State.PROBLEM


async def test_redis_is_asked_whether_it_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With the URL's password, which isn't told; none named is nothing to look at."""
    assert await redis(Settings()) == []
    monkeypatch.setenv("REDIS_URL", "redis://:sk-doctor@127.0.0.1:1/0")
    settings = Settings.model_validate({"gateway": {"redis_url_env": "REDIS_URL"}})
    [finding] = await redis(settings)
    assert (finding.state, finding.said) == (State.PROBLEM, "127.0.0.1:1 can't be reached: Connection refused")
    async with redis_server(tmp_path) as server:
        [finding] = await redis(Settings.model_validate({"gateway": {"redis_url": server.url}}))
        assert (finding.state, finding.said) == (State.OK, f"127.0.0.1:{server.port} answers")
        monkeypatch.setenv("REDIS_URL", f"redis://:sk-doctor@127.0.0.1:{server.port}/0")
        [finding] = await redis(settings)
        assert (finding.state, "sk-doctor" in str(finding)) == (State.PROBLEM, False)


async def test_a_controller_is_asked_for_its_health() -> None:
    """Serving, not serving, no controller at all, nobody there."""
    servicer = health.aio.HealthServicer()
    servers = [grpc.aio.server(), grpc.aio.server()]
    health_pb2_grpc.add_HealthServicer_to_server(servicer, servers[0])
    addresses = [f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}" for server in servers]
    for server in servers:
        await server.start()
    settings = Settings.model_validate({"gateway": {"controllers": [*addresses, "127.0.0.1:1"]}})
    assert [each.state for each in await controllers(settings)] == [State.OK, State.PROBLEM, State.SKIPPED]
    await servicer.enter_graceful_shutdown()
    assert "isn't serving" in (await controllers(settings))[0].said
    for server in servers:
        await server.stop(None)


async def test_each_strategy_is_asked_whether_it_is_ready() -> None:
    """Of this version, of another one, not there; and nothing at all."""
    async with scripted_scorers({"mf": lambda _: 0.5}) as scorers:
        settings = Settings.model_validate({"controller": {"scorers": scorers.address}, "strategies": {"mf": {}, "bert": {}}})
        scorers.version = f"{__version__}+0123456789ab"
        assert [(each.state, each.said.split()[0]) for each in await strategies(settings)] == [(State.PROBLEM, "bert"), (State.OK, "mf")]
        scorers.version = "0.0.1"
        assert (await strategies(settings))[1].state is State.WARNING
    assert [each.state for each in await strategies(settings)] == [State.SKIPPED]


async def test_what_does_not_run_is_no_problem() -> None:
    """On this machine nothing has to, before pointsman up."""
    settings = Settings.model_validate({"gateway": {"rest_port": 1}, "local_llm": {"strong_port": 1, "weak_port": 2}})
    for found in (await gateway(settings), await local_llms(settings)):
        assert {each.state for each in found} == {State.SKIPPED}
