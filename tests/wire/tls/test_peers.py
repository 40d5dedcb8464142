"""The names in a verified client certificate, on both protocols."""

from __future__ import annotations

import datetime
from typing import Any

import grpc
import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.rest_server import RestServer, bind_socket
from pointsman.runtime.grpc_server import bind, build_server
from pointsman.runtime.peers import names_of_grpc_peer, names_of_rest_peer
from pointsman.runtime.tls import ServerTls
from tests.support.certificates import Authority, Issued
from tests.wire.tls.connecting import Files, grpc_channel

_NAMES = ("support-bot", "bot.example", "other.example", "spiffe://example/bot")


def _with_every_kind_of_name(authority: Authority) -> Issued:
    """A common name, two DNS names (one of them twice), a URI, an IP address and a mail address."""
    signing: Any = serialization.load_pem_private_key(authority.ca.private_key_pem.bytes(), None)
    issuer = x509.load_pem_x509_certificate(authority.roots)
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    names: list[x509.GeneralName] = [x509.DNSName("bot.example"), x509.DNSName("other.example"), x509.DNSName("bot.example")]
    names += [x509.UniformResourceIdentifier("spiffe://example/bot"), x509.RFC822Name("a@b.example")]
    made = (
        x509.CertificateBuilder(issuer.subject, x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "support-bot")]), key.public_key())
        .serial_number(7)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key()), critical=False)  # type: ignore[arg-type]
        .sign(signing, hashes.SHA256())
    )
    form = serialization.PrivateFormat.TraditionalOpenSSL
    pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    return Issued(made.public_bytes(serialization.Encoding.PEM), pem)


async def _rest_names(server: Authority, client_certificates: str, own: Files | None) -> list[tuple[str, ...]]:
    """What an application is told in two requests on one connection."""
    seen: list[tuple[str, ...]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(names_of_rest_peer(scope))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    tls = ServerTls(server.server(client_certificates), "gateway.tls")
    with bind_socket("127.0.0.1", 0) as bound:
        rest = RestServer(app, [bound], 1, tls)
        async with httpx.AsyncClient(verify=server.context(own), trust_env=False) as client:
            for _ in range(2):
                await client.get(f"https://127.0.0.1:{bound.getsockname()[1]}/")
        await rest.stop()
    return seen


async def _grpc_names(server: Authority, client_certificates: str, own: Files | None) -> list[tuple[str, ...]]:
    seen: list[tuple[str, ...]] = []

    async def answer(_: bytes, context: Any) -> bytes:
        seen.append(names_of_grpc_peer(context))
        return b""

    grpc_server = build_server(max_concurrent=10, max_body_bytes=1024)
    handlers: dict[str, Any] = {"M": grpc.unary_unary_rpc_method_handler(answer)}
    grpc_server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("S", handlers),))
    port = bind(grpc_server, "127.0.0.1", 0, ServerTls(server.server(client_certificates), "gateway.tls"))
    await grpc_server.start()
    async with grpc_channel(port, server, own) as channel:
        call: Any = channel.unary_unary("/S/M")
        await call(b"")
    await grpc_server.stop(None)
    return seen


async def test_common_name_dns_names_and_uris_are_the_peers_names(ours: Authority) -> None:
    """In this order, each once; addresses aren't names."""
    own = ours.write(_with_every_kind_of_name(ours), "client")
    assert await _rest_names(ours, "required", own) == [_NAMES, _NAMES]
    assert await _rest_names(ours, "optional", own) == [_NAMES, _NAMES]
    assert await _grpc_names(ours, "required", own) == [_NAMES]


async def test_a_certificate_without_a_common_name_has_no_empty_name(ours: Authority) -> None:
    """An empty name would be everybody's."""
    own = ours.write(ours.issue("bot.example"), "client")
    assert await _rest_names(ours, "required", own) == [("bot.example",)] * 2
    assert await _grpc_names(ours, "required", own) == [("bot.example",)]


async def test_who_wasnt_asked_or_showed_none_has_no_names(ours: Authority) -> None:
    """Nor has one that gRPC didn't verify."""
    own = ours.write(ours.issue("bot.example"), "client")
    assert await _rest_names(ours, "none", own) == await _rest_names(ours, "optional", None) == [(), ()]
    assert await _grpc_names(ours, "none", own) == await _grpc_names(ours, "optional", own) == [()]
