"""Calls backends: OpenAI-compatible HTTP servers, by httpx over the httpx-aiohttp transport (its own is 40 times slower).

Requests go to the transport and not through `httpx.AsyncClient`: a relay must not have its cookies, redirects and authentication, and
they take more CPU than the rest of a call. The only module that knows httpx: its exceptions are translated here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from controller.backend_headers import passes_back, request_headers, retry_after
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

PASSED_THROUGH: Final = frozenset({400, 404, 413, 422})  # the caller's own mistakes, in the backend's words
_PIECE_BYTES: Final = 256 << 10


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


@dataclass(frozen=True, slots=True)
class _Line:
    """To one backend, for the life of the process."""

    settings: BackendSettings
    transport: AiohttpTransport
    extensions: Mapping[str, Any]
    urls: dict[str, httpx.URL] = field(default_factory=dict)

    def request(self, endpoint: str, headers: Iterable[tuple[str, str]], body: bytes) -> httpx.Request:
        own = self.settings
        if (url := self.urls.get(endpoint)) is None:
            # Of the few endpoints that there are: parsing an address takes as long as half of a request.
            url = self.urls[endpoint] = httpx.URL(f"{own.base_url.rstrip('/')}/{endpoint}", params=own.query or None)
        return httpx.Request(
            "POST",
            url,
            headers=request_headers(own, headers, body),
            content=_content(body),
            extensions=dict(self.extensions),
        )


class Backends:
    """A pool of connections per backend, for the life of the process."""

    def __init__(self, backends: Mapping[str, BackendSettings]) -> None:
        self._backends = backends
        self._lines: dict[str, _Line] = {}

    async def __aenter__(self) -> Backends:
        self._lines = {name: _line(backend) for name, backend in self._backends.items()}
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(line.transport.aclose() for line in self._lines.values()))

    @asynccontextmanager
    async def open(
        self, name: str, endpoint: str, headers: Iterable[tuple[str, str]], body: bytes, deadline: Deadline
    ) -> AsyncIterator[Answer]:
        """Posts the body and gives the answer once its headers are there; leaving closes the connection if it isn't read to its end.

        Raises a `BackendError` for anything that isn't an answer to pass on: the mapping is the design's rule 7.
        """
        line = self._lines[name]
        with _translated(name, deadline, line.settings.first_byte_timeout_s, BackendUnreachable) as in_time:
            async with in_time:
                response = await line.transport.handle_async_request(line.request(endpoint, headers, body))
        try:
            _refuse_failures(name, response)
            passed = [(name, value) for name, value in response.headers.multi_items() if passes_back(name)]
            yield Answer(name, response.status_code, passed, _pieces(name, response, deadline, line.settings.idle_timeout_s))
        finally:
            await response.aclose()


def _line(settings: BackendSettings) -> _Line:
    def session() -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=settings.max_connections, keepalive_timeout=30)
        # No cookie of one caller's answer may travel with another caller's request.
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False)

    timeout = {"connect": settings.connect_timeout_s, "pool": settings.connect_timeout_s}
    return _Line(settings, AiohttpTransport(client=session, trust_env=False), {"timeout": timeout})


def _content(body: bytes) -> bytes | AsyncIterator[bytes]:
    """A long body in pieces, so that writing it doesn't hold the event loop."""
    return body if len(body) <= _PIECE_BYTES else _slices(body)


async def _slices(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), _PIECE_BYTES):
        yield body[start : start + _PIECE_BYTES]


async def _pieces(name: str, response: httpx.Response, deadline: Deadline, idle_s: float) -> AsyncIterator[bytes]:
    pieces = response.aiter_raw()
    while True:
        with _translated(name, deadline, idle_s, BackendCut) as in_time:
            async with in_time:
                piece = await anext(pieces, None)
        if piece is None:
            return
        yield piece


@contextmanager
def _translated(name: str, deadline: Deadline, at_most_s: float, when_lost: type[BackendError]) -> Iterator[asyncio.Timeout]:
    """One step and the time that it may take; foreign exceptions become ours."""
    remaining = deadline.remaining()
    try:
        yield asyncio.timeout(min(remaining, at_most_s))
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
    wait_s = retry_after(response.headers.get("retry-after", ""))
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
