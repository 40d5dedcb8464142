"""Which headers go on to a backend, and which key goes with them."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from pointsman.runtime.error_forms import error_info, status_of
from pointsman.v1 import route_service_pb2
from tests.support.backend import ScriptedBackend
from tests.support.controllers import RunningController, running_controller
from tests.support.scorers import ScriptedScorers
from tests.wire.controller.relaying import body, relay


async def test_callers_headers_go_on_and_the_backends_key_is_its_own(
    weak: ScriptedBackend, scorers: ScriptedScorers, tmp_path: Any
) -> None:
    """The key comes from its file, the settings' headers win, no compression is asked for."""
    (tmp_path / "key").write_text("canary-key\n")
    backend = weak.settings.model_copy(update={"key_file": tmp_path / "key", "headers": {"X-Org": "ours"}})
    async with running_controller({"strong": backend, "weak": backend}, scorers.address) as controller:
        request = route_service_pb2.RelayRequest(endpoint="chat/completions", body=body())
        request.headers.add(name="x-org", value="theirs")
        request.headers.add(name="openai-beta", value="v2")
        assert [event async for event in controller.stub.Relay(request)]
    sent = weak.received[0].headers
    assert (sent["authorization"], sent["x-org"], sent["openai-beta"]) == ("Bearer canary-key", "ours", "v2")
    assert sent["accept-encoding"] == "identity"


@pytest.mark.parametrize("becomes", [None, "canary\nkey"], ids=["gone", "two lines"])
async def test_a_key_that_is_lost_while_the_controller_runs_is_the_backends_error(
    becomes: str | None, weak: ScriptedBackend, scorers: ScriptedScorers, tmp_path: Any
) -> None:
    """As one that the backend refuses is, and no undeclared one; the next request reads the file again."""
    key = tmp_path / "key"
    key.write_text("canary-key\n")
    backend = weak.settings.model_copy(update={"key_file": key})
    async with running_controller({"strong": backend, "weak": backend}, scorers.address) as controller:
        key.unlink()
        if becomes:
            key.write_text(becomes)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await relay(controller, body())
        said = caught.value.details() or ""
        assert (error_info(status_of(caught.value)).reason, "its key_env or key_file needs a look" in said) == ("BACKEND_AUTH", True)
        assert "canary" not in said
        key.write_text("canary-key\n")
        assert await relay(controller, body())


async def test_a_backend_of_azures_kind_gets_its_path_query_and_key(weak: ScriptedBackend, scorers: ScriptedScorers, tmp_path: Any) -> None:
    """The deployment is in base_url; the key stands bare in its own header."""
    (tmp_path / "key").write_text("canary-key\n")
    azure = {
        "base_url": weak.url.replace("/v1", "/openai/deployments/d/"),
        "key_file": tmp_path / "key",
        "key_header": "Api-Key",
        "query": {"api-version": "2024-10-21", "x": "a&c"},
        "headers": {"HTTP-Referer": "https://site.example", "X-Title": "app"},
    }
    backend = weak.settings.model_copy(update=azure)
    async with running_controller({"strong": backend, "weak": backend}, scorers.address) as controller:
        await relay(controller, body())
    (received,) = weak.received
    assert received.path == "/openai/deployments/d/chat/completions?api-version=2024-10-21&x=a%26c"
    assert received.headers["api-key"] == "canary-key"
    assert (received.headers["http-referer"], received.headers["x-title"]) == ("https://site.example", "app")
    assert "authorization" not in received.headers


async def test_callers_keys_cookies_and_framing_stay_here(controller: RunningController, weak: ScriptedBackend) -> None:
    """Whoever calls Relay and however they are written."""
    request = route_service_pb2.RelayRequest(endpoint="chat/completions", body=body())
    for name in ("Authorization", "API-Key", "Cookie", "Transfer-Encoding", "Content-Length", "Host", "Accept-Encoding"):
        request.headers.add(name=name, value="9")
    request.headers.add(name="OpenAI-Beta", value="v2")
    assert [event async for event in controller.stub.Relay(request)]
    sent = weak.received[0].headers
    assert not {"authorization", "api-key", "cookie", "transfer-encoding"} & sent.keys()
    assert (sent["content-length"], sent["openai-beta"], sent["accept-encoding"]) == (str(len(weak.received[0].body)), "v2", "identity")
    assert sent["host"] != "9"
