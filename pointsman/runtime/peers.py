"""Who is at the other end of a connection, by the client certificate that TLS has verified: its names, none without one.

The subject's common name first, then the DNS names and URIs; each once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import grpc

SCOPE_KEY: Final = "pointsman.peer"
"""Of the ASGI scope: the names, as the server's protocol has put them there."""


def names_of_grpc_peer(context: grpc.aio.ServicerContext[Any, Any]) -> tuple[str, ...]:
    """The names in the caller's certificate; gRPC has one only where client certificates are required, and then a verified one."""
    properties: Mapping[str, Iterable[bytes]] = context.auth_context()
    kinds = ("x509_common_name", "peer_dns", "peer_uri")
    return _unique(value.decode("utf-8", "replace") for kind in kinds for value in properties.get(kind, ()))


def names_of_rest_peer(scope: Mapping[str, Any]) -> tuple[str, ...]:
    """The names in the certificate of an HTTP request's connection."""
    names: tuple[str, ...] = scope.get(SCOPE_KEY, ())
    return names


def names_in_certificate(certificate: Mapping[str, Any] | None) -> tuple[str, ...]:
    """The names in what `ssl.SSLObject.getpeercert()` gives: None or empty where nothing was verified."""
    if not certificate:
        return ()
    subject = (value for part in certificate.get("subject", ()) for key, value in part if key == "commonName")
    alternatives: Iterable[tuple[str, str]] = certificate.get("subjectAltName", ())
    by_kind = (value for wanted in ("DNS", "URI") for kind, value in alternatives if kind == wanted)
    return _unique([*subject, *by_kind])


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    # gRPC says of a certificate without a common name that it is empty.
    return tuple(dict.fromkeys(name for name in names if name))
