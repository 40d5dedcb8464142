"""What /openapi.json says of each path's headers is what a gateway sends there, no more and no less."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest

from gateway.openapi import document
from gateway.service import Gateway
from tests.support.backend import ScriptedBackend, answering
from tests.support.canary import PROMPT
from tests.wire.identity.conftest import Serve, write_keys

CHAT: dict[str, Any] = {"model": "router-mf-0.3", "messages": [{"role": "user", "content": PROMPT}]}
BODIES: Mapping[str, dict[str, Any]] = {
    "/v1/chat/completions": CHAT,
    "/v1/completions": {"model": "router-mf-0.3", "prompt": PROMPT},
    "/v1/responses": {"model": "router-mf-0.3", "input": PROMPT},
    "/v1/embeddings": {"model": "weak", "input": PROMPT},
    "/v1/route": CHAT,
    "/v1/route/batch": {"model": "router-mf-0.3", "prompts": [PROMPT]},
    "/v1/strategies/compare": {"prompt": PROMPT},
}
OURS = ("x-pointsman-", "x-ratelimit-", "retry-after", "www-authenticate")
MANY, ONE = "key-of-many", "key-of-one"
LIMITS = {"tokens_per_minute": 1_000_000, "admin": True}


@pytest.fixture
async def rest(serve: Serve, keys_file: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Before a gateway with a key of many requests and one of a single one."""
    many = {"keys": [MANY], "requests_per_minute": 1000, **LIMITS}
    one = {"keys": [ONE], "requests_per_minute": 1, **LIMITS}
    write_keys(keys_file, {"many": many, "one": one})
    async with serve() as gateway, _client(gateway) as client:
        yield client


def _client(gateway: Gateway) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{gateway.rest_port}", timeout=20, trust_env=False)


def _operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document()["paths"].items():
        for method in set(item) - {"parameters"}:
            yield path, method, item[method]["responses"]


async def _ask(rest: httpx.AsyncClient, path: str, method: str, key: str = MANY) -> httpx.Response:
    said = {"x-pointsman-receipt": "true", **({"api-key": key} if key else {})}
    sent = BODIES.get(path)
    return await rest.request(method, path.replace("{model_id}", "router-mf-0.5"), json=sent, headers=said)


def _sent(answer: httpx.Response) -> set[str]:
    return {name for name in answer.headers if name.startswith(OURS)}


async def test_each_paths_answers_have_the_headers_that_are_named(rest: httpx.AsyncClient, backend: ScriptedBackend) -> None:
    """With a key that has limits, and a receipt asked for."""
    backend.script = answering(200, b"{}")
    said, sent = {}, {}
    for path, method, responses in _operations():
        answer = await _ask(rest, path, method)
        assert answer.is_success, (path, answer.text)
        said[path], sent[path] = set(next(each for status, each in responses.items() if status[0] == "2")["headers"]), _sent(answer)
    assert sent == said


async def test_each_paths_errors_have_the_headers_that_are_named(rest: httpx.AsyncClient, backend: ScriptedBackend) -> None:
    """Over all that goes wrong: no key, a method that isn't taken, the key's limit, a backend that fails."""
    backend.script = answering(500, b"{}")
    said, sent = {}, dict[str, set[str]]()
    for path, method, responses in _operations():
        asked = [(method, ""), (method, MANY), ("delete", MANY), *[(method, ONE)] * 3]  # thrice: a minute may turn over in between
        answers = [await _ask(rest, path, how, key) for how, key in asked]
        sent[path] = set[str]().union(*(_sent(each) for each in answers if each.is_error))
        said[path] = {name for status, each in responses.items() if status in ("4XX", "5XX") for name in each["headers"]}
    # Deciding alone fails after a decision only where no backend can do what is asked, which isn't so here.
    said["/v1/route"] = {name for name in said["/v1/route"] if name in sent["/v1/models"]}
    assert sent == said


async def test_the_described_server_is_where_the_document_lies(rest: httpx.AsyncClient) -> None:
    """Relative to the document's own address, so that it holds under a proxy's prefix too."""
    asked = await rest.get("/openapi.json", headers={"api-key": MANY})
    (server,) = asked.json()["servers"]
    for address in (str(asked.url), "https://somewhere.example/pointsman/openapi.json"):
        base = urljoin(address, server["url"]).rstrip("/")
        assert f"{base}/openapi.json" == address
