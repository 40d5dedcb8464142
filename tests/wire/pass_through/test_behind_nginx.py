"""docs/page.md's nginx, before a gateway: the page, the API and streams under a path of their own."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

from tests.documents.blocks import blocks
from tests.support.backend import Received, streaming
from tests.support.canary import PROMPT
from tests.support.nginx import needs_nginx, nginx
from tests.wire.pass_through.conftest import Edge

pytestmark = needs_nginx
_LINK = re.compile(r'(?:src|href)="([^"#:]+)"')
_BUFFERING = re.compile(r"^ *proxy_buffering off;.*\n", re.MULTILINE)


def _example(edge: Edge) -> str:
    """The guide's own lines, before the test's gateway."""
    [block] = [each for each in blocks() if each.file == "docs/page.md" and "proxy_pass" in each.text]
    assert "http://127.0.0.1:6060/" in block.text
    return block.text.replace("http://127.0.0.1:6060", edge.url.rstrip("/"))


def _body(prompt: str, **more: Any) -> dict[str, Any]:
    return {"model": "router-mf-1", "messages": [{"role": "user", "content": prompt}], **more}


@pytest.fixture
async def under(edge: Edge, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client whose addresses are below the prefix."""
    async with nginx(tmp_path, _example(edge)) as url, _client(url) as client:
        yield client


def _client(url: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=f"{url}/pointsman/", timeout=30, trust_env=False)


async def test_the_page_and_all_that_it_loads_are_there(under: httpx.AsyncClient) -> None:
    """By addresses that are relative to its own."""
    page = await under.get("")
    assert page.status_code == 200
    assert "content-security-policy" in page.headers
    links = set(_LINK.findall(page.text))
    assert len(links) > 3
    for link in links:
        answer = await under.get(urljoin(str(page.url), link))
        assert answer.status_code == 200, link


async def test_the_api_is_there_and_openapi_says_where(under: httpx.AsyncClient) -> None:
    """Its server is relative to the document, wherever a proxy has put that."""
    described = await under.get("openapi.json")
    base = urljoin(str(described.url), described.json()["servers"][0]["url"]).rstrip("/")
    assert urlsplit(base).path == "/pointsman"
    listed = await under.get(f"{base}/v1/models")
    assert "router-mf-0.5" in {each["id"] for each in listed.json()["data"]}


async def test_a_body_as_long_as_the_gateway_takes_passes(under: httpx.AsyncClient) -> None:
    """By itself nginx refuses more than 1 MiB; what is too long for the gateway, the gateway refuses."""
    answer = await under.post("v1/chat/completions", json=_body("x" * (2 << 20)))
    assert answer.status_code == 200, answer.text[:200]
    answer = await under.post("v1/chat/completions", json=_body("x" * (17 << 20)))
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body_too_large")


@pytest.mark.parametrize("buffers", [False, True], ids=["as-in-the-guide", "nginx-buffers-by-default"])
async def test_a_streams_pieces_arrive_one_by_one(edge: Edge, tmp_path: Path, buffers: bool) -> None:
    """The second isn't sent before the first has been read; the gateway's own header is enough for it."""
    goes_on = asyncio.Event()

    async def second(_: Received, writer: asyncio.StreamWriter) -> None:
        await goes_on.wait()
        writer.write(b"f\r\ndata: [DONE]\n\n\n\r\n")

    edge.weak.script = streaming([b'data: {"choices": []}\n\n'], then=second)
    example = _BUFFERING.sub("", _example(edge)) if buffers else _example(edge)
    assert ("proxy_buffering" in example) is not buffers
    async with (
        nginx(tmp_path, example) as url,
        _client(url) as client,
        client.stream("POST", "v1/chat/completions", json=_body(PROMPT, stream=True)) as answer,
    ):
        assert answer.headers["x-pointsman-tier"] == "weak"
        pieces = answer.aiter_raw()
        assert await anext(pieces) == b'data: {"choices": []}\n\n'
        goes_on.set()
        assert b"".join([piece async for piece in pieces]) == b"data: [DONE]\n\n\n"
