"""How clients get in: TLS, certificates of their own, and keys."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from pointsman.client import AsyncClient, Client, Tls, Unreachable
from tests.support.certificates import Authority
from tests.wire.client.callers import Caller
from tests.wire.client.scripted import DECISION, ScriptedRouteService, serve

KEY = "canary-key-of-a-caller"


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    """Whom the clients trust."""
    return Authority(tmp_path / "ours")


@asynccontextmanager
async def secure(service: ScriptedRouteService, ours: Authority, *, asks: bool = False) -> AsyncIterator[str]:
    """The service over TLS; one that asks requires client certificates."""
    server = ours.issue()
    pairs = [(server.key, server.chain)]
    async with serve(service, grpc.ssl_server_credentials(pairs, ours.roots if asks else None, asks)) as address:
        yield address


async def test_a_client_speaks_tls_and_sends_its_key_with_every_call(
    caller: Caller, service: ScriptedRouteService, ours: Authority
) -> None:
    """Whole answers and streams."""
    access: dict[str, Any] = {"tls": Tls.from_files(ours.ca_file), "api_key": KEY}
    async with secure(service, ours) as address:
        assert (await caller.call(address, "route", "x", access=access)).decision == DECISION
        await caller.call(address, "list_strategies", access=access)
        assert (await caller.stream_text(address, [{"role": "user", "content": "x"}], access=access))[0] == ["Pa", "ris"]
    assert service.authorizations == [f"Bearer {KEY}"] * 3


async def test_a_client_shows_its_certificate(caller: Caller, service: ScriptedRouteService, ours: Authority) -> None:
    """Where the service requires one; without it nobody answers."""
    own = ours.write(ours.issue("bot.example"), "client")
    async with secure(service, ours, asks=True) as address:
        assert (await caller.call(address, "route", "x", access={"tls": Tls.from_files(ours.ca_file, *own)})).decision == DECISION
        with pytest.raises(Unreachable):
            await caller.call(address, "route", "x", access={"tls": Tls.from_files(ours.ca_file)})
    assert service.authorizations == [""]


async def test_a_client_trusts_its_own_authorities_alone_and_the_name_it_asked_for(
    caller: Caller, service: ScriptedRouteService, ours: Authority, tmp_path: Path
) -> None:
    """Another authority's certificate, a name that isn't in it, and plain text."""
    async with secure(service, ours) as address:
        for tls in (
            Tls.from_files(Authority(tmp_path / "theirs").ca_file),
            Tls(),
            Tls.from_files(ours.ca_file, server_name="x.example"),
            None,
        ):
            with pytest.raises(Unreachable):
                await caller.call(address, "route", "x", access={"tls": tls})
        by_name = Tls.from_files(ours.ca_file, server_name="localhost")
        assert (await caller.call(address, "route", "x", access={"tls": by_name})).decision == DECISION


async def test_a_key_goes_in_plain_text_to_this_machine(caller: Caller, service: ScriptedRouteService, address: str) -> None:
    """Where nobody can listen."""
    await caller.call(address, "route", "x", access={"api_key": KEY})
    assert service.authorizations == [f"Bearer {KEY}"]


@pytest.mark.parametrize("kind", [Client, AsyncClient])
async def test_what_cannot_go_together_is_refused_without_saying_the_key(kind: Any) -> None:
    """A key in plain text to another machine unless that is allowed, a key that no header can carry, TLS twice, half of a pair."""
    for address in ("router.example:50051", "192.0.2.7:50051", "dns:///router.example:50051", "ipv4:127.0.0.1:1,192.0.2.7:1"):
        with pytest.raises(ValueError, match="in plain text; use TLS") as caught:
            kind(address, api_key=KEY)
        assert KEY not in str(caught.value)
    for opened in (kind("router.example:1", api_key=KEY, allow_plaintext_key=True), kind("router.example:1", api_key=KEY, tls=Tls())):
        done = opened.close()
        if done:
            await done
    for bad in (f"{KEY}\n", f"{KEY} é", ""):
        with pytest.raises(ValueError, match="printable ASCII") as caught:
            kind(api_key=bad)
        assert "canary" not in str(caught.value)
    with pytest.raises(ValueError, match="exclude each other"):
        kind(tls=Tls(), credentials=grpc.local_channel_credentials())
    with pytest.raises(ValueError, match="go together"):
        Tls(certificate_chain=b"x")
    assert "secret" not in repr(Tls(certificate_chain=b"x", private_key=b"secret"))


async def test_a_key_for_this_machine_isnt_told_to_a_proxy(
    caller: Caller, service: ScriptedRouteService, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the environment says."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    await caller.call(address, "route", "x", access={"api_key": KEY})
    assert service.authorizations == [f"Bearer {KEY}"]
