"""Which headers and metadata cross the edge, in each direction."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from pointsman.runtime import tracing
from pointsman.runtime.decision_headers import PREFIX, REQUEST_ID
from pointsman.runtime.errors import InvalidRequest
from pointsman.runtime.header_syntax import is_sendable
from pointsman.v1 import route_service_pb2

Headers = list[tuple[str, str]]
"""Names are lower case; a name may come twice."""

Metadata = Sequence[tuple[str, str | bytes]]
"""What goes to the controller beside a message."""

RECEIPT: Final = PREFIX + "receipt"

# Everything else stays here: keys and cookies, what belongs to one connection, and what describes the caller's own way to us.
# `openai-organization` and `openai-project` name the owner of the caller's key, and the backend gets another key.
_TO_BACKENDS: Final = frozenset(
    {"accept", "accept-language", "content-type", "idempotency-key", "openai-beta", "user-agent", "x-request-id", *tracing.CONTEXT}
)
# `date` is written by our own server. The controller filters too; a wrong one of these would break the framing.
_NOT_TO_CALLERS: Final = frozenset(
    {"connection", "date", "keep-alive", "proxy-authenticate", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)
_LENGTH = re.compile(r"[0-9]{1,18}", re.ASCII)
_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)


def request_id(said: Mapping[str, str]) -> str:
    """The caller's own id (`x-pointsman-request-id` or `x-request-id`) where it is 1 to 128 of A-Za-z0-9._-, else a new one."""
    for name in (REQUEST_ID, "x-request-id"):
        if _ID.fullmatch(said.get(name, "")):
            return said[name]
    return secrets.token_hex(16)


def to_backends(headers: Headers) -> list[route_service_pb2.Header]:
    """The caller's headers that go on to the backend."""
    return [route_service_pb2.Header(name=name, value=value) for name, value in headers if name in _TO_BACKENDS]


def to_caller(headers: Iterable[route_service_pb2.Header]) -> Headers:
    """The backend's headers that go on to the caller; it can't forge a decision."""
    lower = [(header.name.lower(), header.value) for header in headers]
    return [(name, value) for name, value in lower if name not in _NOT_TO_CALLERS and not name.startswith(PREFIX)]


def sendable(headers: Headers) -> Headers:
    """Those that HTTP can carry: one with a line break, or a length that is no number, would break the answer."""
    return [(name, value) for name, value in headers if is_sendable(name, value) and (name != "content-length" or _LENGTH.fullmatch(value))]


def trace_context(said: Mapping[str, str]) -> Headers:
    """W3C trace context, for the metadata of the call to the controller: of our own span where spans are made, else the caller's."""
    return [*tracing.carrier().items()] or [
        (name, said[name]) for name in tracing.CONTEXT if name in said and said[name].isascii() and said[name].isprintable()
    ]


def wants_receipt(said: Mapping[str, str]) -> bool:
    """What `x-pointsman-receipt` says; false where it is missing. Raises `InvalidRequest`."""
    value = said.get(RECEIPT, "false").lower()
    if value not in ("true", "false"):
        raise InvalidRequest(f"{RECEIPT} is true or false, not {value[:40]!r}", param=RECEIPT)
    return value == "true"
