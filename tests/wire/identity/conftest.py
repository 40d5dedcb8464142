"""Gateways that ask for keys, before a real controller with an echoing backend."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.service import Gateway, serving
from pointsman.runtime.keys_file import digest_of
from tests.support.backend import ScriptedBackend, echoing, scripted_backend
from tests.support.controllers import RunningController, running_controller
from tests.support.gateways import gateway_before
from tests.support.redis_server import RedisServer, redis_server
from tests.support.scorers import scripted_scorers
from tests.wire.identity.asking import Asks, Grpc, Rest

Protocol = Callable[[Gateway], Asks]
Serve = Callable[..., AbstractAsyncContextManager[Gateway]]
_PAIRS = {"default": {"strong": "strong", "weak": "weak"}, "other": {"strong": "weak", "weak": "weak"}}


@pytest.fixture(params=[Rest, Grpc], ids=["rest", "grpc"])
def protocol(request: pytest.FixtureRequest) -> Protocol:
    """Each protocol in turn."""
    made: Protocol = request.param
    return made


@pytest.fixture
async def backend() -> AsyncIterator[ScriptedBackend]:
    """Both tiers' backend, which counts 10 tokens for each answer."""
    async with scripted_backend("any", echoing) as backend:
        yield backend


@pytest.fixture
async def controller(backend: ScriptedBackend, tmp_path: Path) -> AsyncIterator[RunningController]:
    """A scripted mf says 0.4; backends may be named, and decisions are logged."""
    async with scripted_scorers({"mf": lambda _: 0.4, "random": lambda _: 0.5}) as scorers:
        own = {"allow_backend_names": True, "decision_log": {"path": tmp_path / "decisions.jsonl"}}
        backends = {"strong": backend.settings, "weak": backend.settings}
        async with running_controller(backends, scorers.address, own=own, pairs=_PAIRS) as controller:
            yield controller


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    """Who may call."""
    path = tmp_path / "keys.yaml"
    write_keys(path, {"alice": {"keys": ["key-of-alice"]}})
    return path


@pytest.fixture
def serve(controller: RunningController, keys_file: Path) -> Serve:
    """A gateway with further settings, by the keys file."""

    def served(**settings: Any) -> AbstractAsyncContextManager[Gateway]:
        return serving(gateway_before(controller.address, **{"drain_s": 0.2, "keys_file": keys_file, **settings}))

    return served


@pytest.fixture
async def gateway(serve: Serve) -> AsyncIterator[Gateway]:
    """The gateway."""
    async with serve() as gateway:
        yield gateway


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[RedisServer]:
    """A Redis of the test's own."""
    async with redis_server(tmp_path) as server:
        yield server


def write_keys(path: Path, callers: Mapping[str, Mapping[str, Any]]) -> None:
    """A keys file; each caller's `keys` are hashed."""
    entries = []
    for name, fields in callers.items():
        others = {key: value for key, value in fields.items() if key != "keys"}
        entries.append({"name": name, "sha256": [digest_of(key) for key in fields["keys"]], **others})
    path.write_text(yaml.safe_dump({"keys": entries}))
