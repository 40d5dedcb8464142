"""Calls backends: OpenAI-compatible HTTP servers, by httpx over the httpx-aiohttp transport (its own is 40 times slower).

The only module that knows httpx: its exceptions are translated here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from controller.deadline import Deadline
from pointsman.runtime.backend_settings import BackendSettings
from pointsman.runtime.errors import (
    BackendAuth,
    BackendCut,
    BackendError,
    BackendFailed,
    BackendRateLimited,
    BackendTimeout,
    BackendUnreachable,
    DeadlineExceeded,
)
from pointsman.runtime.settings_file import read_secret

PASSED_THROUGH: Final = frozenset({400, 404, 413, 422})  # the caller's own mistakes, in the backend's words
_HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "transfer-encoding",
        "upgrade",
        "te",
        "trailer",
        "proxy-authenticate",
        "proxy-connection",
        "content-length",
    }
)
_PIECE_BYTES: Final = 256 << 10
# What would break the framing, or is a key or cookie meant for us; gateways leave it out, other callers of Relay may not.
_CALLERS_OWN: Final = _HOP_BY_HOP | {"host", "expect", "authorization", "proxy-authorization", "api-key", "x-api-key", "cookie"}
_NOT_PASSED_ON: Final = _HOP_BY_HOP | {"set-cookie", "server", "date", "alt-svc", "strict-transport-security"}


@dataclass(frozen=True, slots=True)
class Answer:
    """A backend's response whose headers are there; its bytes are read once, in pieces as they come."""

    backend: str
    status: int
    headers: list[tuple[str, str]]
    pieces: AsyncIterator[bytes]

    @property
    def content_type(self) -> str:
        """Lower case, without parameters."""
        return next((value for name, value in self.headers if name == "content-type"), "").partition(";")[0].strip().lower()

    @property
    def is_encoded(self) -> bool:
        """Packed, though nobody asked for it: its bytes can be passed on, not read."""
        return any(name == "content-encoding" and value.lower() != "identity" for name, value in self.headers)

    @property
    def is_stream(self) -> bool:
        """Server-sent events."""
        return self.content_type == "text/event-stream"


class Backends:
    """One HTTP client per backend, for the life of the process."""

    def __init__(self, backends: Mapping[str, BackendSettings]) -> None:
        self._backends = backends
        self._clients: dict[str, httpx.AsyncClient] = {}

    async def __aenter__(self) -> Backends:
        self._clients = {name: _client(backend) for name, backend in self._backends.items()}
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(client.aclose() for client in self._clients.values()))

    @asynccontextmanager
    async def open(
        self, name: str, endpoint: str, headers: Iterable[tuple[str, str]], body: bytes, deadline: Deadline
    ) -> AsyncIterator[Answer]:
        """Posts the body and gives the answer once its headers are there; leaving closes the connection if it isn't read to its end.

        Raises a `BackendError` for anything that isn't an answer to pass on: the mapping is the design's rule 7.
        """
        settings = self._backends[name]
        async with AsyncExitStack() as stack:
            async with _translated(name, deadline, settings.first_byte_timeout_s, BackendUnreachable):
                request = self._clients[name].build_request(
                    "POST",
                    f"{settings.base_url.rstrip('/')}/{endpoint}",
                    params=settings.query or None,
                    headers=_request_headers(settings, headers, body),
                    content=_content(body),
                )
                response = await self._clients[name].send(request, stream=True)
            stack.push_async_callback(response.aclose)
            _refuse_failures(name, response)
            passed = [(name, value) for name, value in response.headers.multi_items() if _passes(name)]
            yield Answer(name, response.status_code, passed, _pieces(name, response, deadline, settings.idle_timeout_s))


def _client(settings: BackendSettings) -> httpx.AsyncClient:
    def session() -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=settings.max_connections, keepalive_timeout=30)
        # No cookie of one caller's answer may travel with another caller's request.
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False)

    timeout = httpx.Timeout(None, connect=settings.connect_timeout_s, pool=settings.connect_timeout_s)
    return httpx.AsyncClient(transport=AiohttpTransport(client=session), timeout=timeout, trust_env=False)


def _passes(name: str) -> bool:
    """Whether a response header (lower case, as httpx gives it) goes on; which web pages may call is not the backend's to say."""
    return name not in _NOT_PASSED_ON and not name.startswith("access-control-")


def _content(body: bytes) -> bytes | AsyncIterator[bytes]:
    """A long body in pieces, so that writing it doesn't hold the event loop."""
    return body if len(body) <= _PIECE_BYTES else _slices(body)


async def _slices(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), _PIECE_BYTES):
        yield body[start : start + _PIECE_BYTES]


def _request_headers(settings: BackendSettings, headers: Iterable[tuple[str, str]], body: bytes) -> list[tuple[str, str]]:
    own = {name.lower(): value for name, value in settings.headers.items()}
    if key := read_secret(settings.key_env, settings.key_file):
        header = settings.key_header.lower()
        own.setdefault(header, f"Bearer {key}" if header == "authorization" else key)
    own.setdefault("content-type", "application/json")
    # Bytes pass untouched, and usage is read from them: no compression.
    own["accept-encoding"] = "identity"
    own["content-length"] = str(len(body))
    said = ((name.lower(), value) for name, value in headers)
    return [*((name, value) for name, value in said if name not in own and name not in _CALLERS_OWN), *own.items()]


async def _pieces(name: str, response: httpx.Response, deadline: Deadline, idle_s: float) -> AsyncIterator[bytes]:
    pieces = response.aiter_raw()
    while True:
        async with _translated(name, deadline, idle_s, BackendCut):
            piece = await anext(pieces, None)
        if piece is None:
            return
        yield piece


@asynccontextmanager
async def _translated(name: str, deadline: Deadline, at_most_s: float, when_lost: type[BackendError]) -> AsyncIterator[None]:
    """Runs one step within its time; foreign exceptions become ours."""
    remaining = deadline.remaining()
    try:
        async with asyncio.timeout(min(remaining, at_most_s)):
            yield
    except TimeoutError:
        if remaining <= at_most_s:
            raise DeadlineExceeded(f"The deadline passed while the backend {name} was answering.", backend=name) from None
        raise BackendTimeout(f"The backend {name} sent nothing for {at_most_s:g} s.", backend=name) from None
    except aiohttp.ClientResponseError:
        raise BackendFailed(f"The backend {name} answered with something that isn't HTTP.", backend=name) from None
    except (httpx.HTTPError, aiohttp.ClientError, OSError) as error:
        # httpx-aiohttp calls every lost connection a ConnectTimeout; the cause tells which ones timed out.
        if isinstance(error.__cause__, TimeoutError):
            raise BackendTimeout(f"The backend {name} could not be reached in time.", backend=name) from None
        what = "can't be reached" if when_lost is BackendUnreachable else "cut the connection before its answer was complete"
        raise when_lost(f"The backend {name} {what}.", backend=name, retry_after_s=1) from None


def _refuse_failures(name: str, response: httpx.Response) -> None:
    status = response.status_code
    if status in PASSED_THROUGH or 200 <= status < 300:
        return
    wait_s = _retry_after(response.headers.get("retry-after", ""))
    error: BackendError
    if status in (401, 403):
        error = BackendAuth(f"The backend {name} refused our key ({status}); its key_env or key_file needs a look.", backend=name)
    elif status == 429:
        retry_after_s = 1.0 if wait_s is None else wait_s
        error = BackendRateLimited(f"The backend {name} is at its rate limit.", backend=name, retry_after_s=retry_after_s)
    else:
        error = BackendFailed(f"The backend {name} answered {status}.", backend=name, retry_after_s=wait_s)
    error.answered, error.wait_s = status, wait_s
    raise error


def _retry_after(text: str) -> float | None:
    """Seconds; None where the header is missing or nonsense. A date counts from our clock."""
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # a year or a time zone beyond all numbers overflows
        return None
    return max(0.0, (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - datetime.now(UTC).timestamp())
