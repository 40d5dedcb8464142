"""REST that decides and lists asks for a key like everything else, and shows a key what it may use."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from gateway.service import Gateway
from tests.wire.identity.asking import Rest
from tests.wire.identity.conftest import write_keys


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    """An operator, one who has `random` alone, and one with two requests a minute."""
    path = tmp_path / "keys.yaml"
    limited = {"keys": ["key-of-eve"], "requests_per_minute": 2}
    write_keys(
        path, {"root": {"keys": ["key-of-root"], "admin": True}, "bob": {"keys": ["key-of-bob"], "strategies": ["random"]}, "eve": limited}
    )
    return path


BODY = b'{"model": "router-random-0.5", "prompt": "hi", "prompts": ["hi"]}'


async def _asked(gateway: Gateway, key: str, method: str, path: str, body: bytes = BODY) -> httpx.Response:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    async with httpx.AsyncClient(base_url=Rest(gateway).base_url, trust_env=False, headers=headers) as client:
        return await client.request(method, path, content=body if method == "POST" else None)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/route"),
        ("POST", "/v1/route/batch"),
        ("POST", "/v1/strategies/compare"),
        ("GET", "/v1/strategies"),
        ("GET", "/v1/stats"),
    ],
)
async def test_each_needs_a_key(gateway: Gateway, method: str, path: str) -> None:
    """401 without one, an answer with an operator's."""
    assert (await _asked(gateway, "", method, path)).status_code == 401
    assert (await _asked(gateway, "key-of-root", method, path)).status_code == 200


async def test_statistics_are_for_operators(gateway: Gateway) -> None:
    """They name every caller."""
    assert (await _asked(gateway, "key-of-bob", "GET", "/v1/stats")).status_code == 403


async def test_a_key_sees_and_asks_its_own_strategies(gateway: Gateway) -> None:
    """The others aren't there for it."""
    listed = (await _asked(gateway, "key-of-bob", "GET", "/v1/strategies")).json()
    assert [each["name"] for each in listed["strategies"]] == ["random"]
    body = b'{"prompt": "hi", "model": "router-mf-0.5"}'
    assert (await _asked(gateway, "key-of-bob", "POST", "/v1/route", body)).status_code == 403


async def test_its_limits_count_them(gateway: Gateway) -> None:
    """The third of a minute is refused."""
    answers = [await _asked(gateway, "key-of-eve", "POST", "/v1/route") for _ in range(3)]
    assert [each.status_code for each in answers] == [200, 200, 429]
    assert answers[0].headers["x-ratelimit-remaining-requests"] == "1"


async def test_the_page_itself_needs_no_key(gateway: Gateway) -> None:
    """It has nothing to hide; what it shows is asked for with its visitor's key."""
    assert (await _asked(gateway, "", "GET", "/")).status_code == 200
    assert (await _asked(gateway, "", "GET", "/page/main.js")).status_code == 200
    assert (await _asked(gateway, "", "GET", "/page/nothing.js")).status_code == 401
