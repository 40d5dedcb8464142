"""GET /: the page and its files."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

import gateway.static_page
from gateway.openapi import document
from gateway.service import Gateway, serving
from gateway.static_page import StaticPage
from tests.wire.gateway.conftest import client_of, settings_for
from tests.wire.gateway.scripted_controller import ScriptedController

_FOLDER = Path(gateway.static_page.__file__).parent / "page"
_ROOTED = re.compile(r"""["'`(](/[a-z][\w/-]+)""")
_LINK = re.compile(r'(?:src|href)="([^"#]+)"|from "\./([^"]+)"')


async def test_every_file_has_its_type_and_the_policy(rest: httpx.AsyncClient) -> None:
    """Scripts and styles from here alone, none inline, nothing guessed, nothing framed."""
    kinds = {"html": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
    for path in StaticPage().paths:
        answer = await rest.get(path)
        assert answer.status_code == 200, path
        assert answer.headers["content-type"].split(";")[0] == kinds["html" if path == "/" else path.rpartition(".")[2]]
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:;")
        assert "unsafe" not in policy
        assert "http" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-cache"


async def test_a_file_that_hasnt_changed_isnt_sent_again(rest: httpx.AsyncClient) -> None:
    """By its ETag."""
    first = await rest.get("/")
    again = await rest.get("/", headers={"if-none-match": f'"other", W/{first.headers["etag"]}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert (await rest.get("/", headers={"if-none-match": '"other"'})).status_code == 200
    assert (await rest.head("/")).headers["etag"] == first.headers["etag"]
    assert (await rest.post("/")).status_code == 405


def test_it_loads_nothing_from_elsewhere_and_nothing_that_isnt_there() -> None:
    """No address but the API's own and SVG's namespace; no inline script, style or handler, and no HTML out of text."""
    paths = StaticPage().paths
    for file in _FOLDER.iterdir():
        text = file.read_text()
        assert "://" not in text.replace("http://www.w3.org/2000/svg", ""), file.name
        for loaded, imported in _LINK.findall(text):
            assert (f"/{loaded}" if loaded else f"/page/{imported}") in paths | {"/openapi.json"}, file.name
        for never in (
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "localStorage",
            " style=",
            "<style",
            " onclick=",
        ):
            assert never not in text, f"{file.name}: {never}"


def test_every_address_is_relative() -> None:
    """So that it works behind a proxy, under a path of its own; what begins with a slash are labels of /metrics."""
    found = {(file.name, path) for file in _FOLDER.iterdir() for path in _ROOTED.findall(file.read_text())}
    assert {name for name, _ in found} == {"counts.js"}
    assert {path for _, path in found} <= set(document()["paths"])


@pytest.mark.parametrize("path", ["/", "/page/main.js"])
async def test_it_can_be_switched_off(controller: ScriptedController, path: str) -> None:
    """Then it's a path like any other."""
    async with serving(settings_for(controller.port, page=False)) as gateway, client_of(gateway) as rest:
        assert (await rest.get(path)).status_code == 404


async def test_it_is_counted_like_other_requests(gateway: Gateway, rest: httpx.AsyncClient) -> None:
    """Under two labels, whatever a caller asks for."""
    for path in ("/", "/page/main.js", "/page/canary.js"):
        await rest.get(path)
    text = (await rest.get("/metrics")).text
    assert 'endpoint="/page/{name}"' in text
    assert "canary" not in text
