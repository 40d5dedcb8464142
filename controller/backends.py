"""Calls backends, OpenAI-compatible HTTP servers, by aiohttp. Its exceptions are translated here and go no further (decision 0018).

A relay has no cookies, no redirects and no authentication of its own, so all of that is off.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import aiohttp
from yarl import URL

from controller.backend_headers import RequestHeaders, passes_back, retry_after
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
    PointsmanError,
)
from pointsman.runtime.settings_file import SettingsError

PASSED_THROUGH: Final = frozenset({400, 404, 413, 422})  # the caller's own mistakes, in the backend's words
_PIECE_BYTES: Final = 256 << 10
_READ_BYTES: Final = 16 << 10
"""At once at most: what one piece is, each stream whose caller doesn't read holds several times on its way."""
_FOREIGN: Final = (aiohttp.ClientError, OSError)  # TimeoutError is an OSError


class Answer:
    """A backend's response whose headers are there; its bytes are read once, as they come, and it is closed whatever becomes of it."""

    def __init__(self, backend: str, response: aiohttp.ClientResponse, deadline: Deadline, idle_s: float) -> None:
        self.backend = backend
        self.status = response.status
        self.headers = _passed_back(response)
        self._response = response
        self._content = response.content
        self._deadline = deadline
        self._idle_s = idle_s
        self.lost: Callable[[], object] = lambda: None
        """Called where its bytes break off."""

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

    async def read(self) -> bytes:
        """Bytes that have come and weren't read, 16 KiB at most, once there are some; empty at the end.

        Raises `BackendCut` and `BackendTimeout` where no more can come, and `DeadlineExceeded`.
        """
        content = self._content
        remaining = self._deadline.remaining()
        try:
            if content.is_eof():  # nothing to wait for, and so no timer: most whole answers
                return await content.read(_READ_BYTES)
            async with asyncio.timeout(min(remaining, self._idle_s)):
                piece = await content.read(_READ_BYTES)
        except _FOREIGN as error:
            raise self._lost(error, remaining) from None
        # What comes within this turn of the event loop goes on together: a piece costs more than many bytes.
        await asyncio.sleep(0)
        more = b"" if content.exception() or len(piece) >= _READ_BYTES else content.read_nowait(_READ_BYTES - len(piece))
        return piece + more if more else piece

    def _lost(self, error: Exception, remaining: float) -> PointsmanError:
        lost = _translated(error, self.backend, remaining, self._idle_s, BackendCut)
        if isinstance(lost, BackendError):
            self.lost()
        return lost

    async def close(self) -> None:
        """Ends the connection if it wasn't read to its end; else it has gone back to its pool already."""
        if not self._response.closed:
            self._response.release()
            await self._response.wait_for_close()


@dataclass(frozen=True, slots=True)
class _Line:
    """To one backend, for the life of the process."""

    settings: BackendSettings
    session: aiohttp.ClientSession
    headers: RequestHeaders
    urls: dict[str, URL] = field(default_factory=dict)

    def url(self, endpoint: str) -> URL:
        """Of the few endpoints that there are: parsing an address takes as long as half of a request."""
        if (url := self.urls.get(endpoint)) is None:
            url = URL(f"{self.settings.base_url.rstrip('/')}/{endpoint}")
            self.urls[endpoint] = url = url.update_query(self.settings.query) if self.settings.query else url
        return url


class Backends:
    """A pool of connections per backend, for the life of the process."""

    def __init__(self, backends: Mapping[str, BackendSettings]) -> None:
        self._backends = backends
        self._lines: dict[str, _Line] = {}

    async def __aenter__(self) -> Backends:
        self._lines = {name: _line(backend) for name, backend in self._backends.items()}
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(line.session.close() for line in self._lines.values()))

    async def open(self, name: str, endpoint: str, headers: Iterable[tuple[str, str]], body: bytes, deadline: Deadline) -> Answer:
        """Posts the body and gives the answer once its headers are there; whoever gets it closes it.

        Raises a `BackendError` for anything that isn't an answer to pass on: the mapping is the design's rule 7.
        """
        line = self._lines[name]
        own, remaining = line.settings, deadline.remaining()
        try:
            async with asyncio.timeout(min(remaining, own.first_byte_timeout_s)):
                response = await line.session.post(
                    line.url(endpoint), headers=line.headers.of(headers, body), data=_content(body), allow_redirects=False
                )
        except SettingsError:
            # The file, or what is in it, has changed since the settings were read; what is wrong with it is no caller's business.
            raise BackendAuth(f"The key of the backend {name} can't be used; its key_env or key_file needs a look.", backend=name) from None
        except _FOREIGN as error:
            raise _translated(error, name, remaining, own.first_byte_timeout_s, BackendUnreachable) from None
        answer = Answer(name, response, deadline, own.idle_timeout_s)
        if not (200 <= response.status < 300 or response.status in PASSED_THROUGH):
            await answer.close()
            raise _refused(name, response)
        return answer


def _line(settings: BackendSettings) -> _Line:
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=settings.max_connections, keepalive_timeout=30),
        # No cookie of one caller's answer may travel with another caller's request.
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=None, connect=settings.connect_timeout_s, sock_connect=settings.connect_timeout_s),
    )
    return _Line(settings, session, RequestHeaders(settings))


def _content(body: bytes) -> bytes | AsyncIterator[bytes]:
    """A long body in pieces, so that writing it doesn't hold the event loop."""
    return body if len(body) <= _PIECE_BYTES else _slices(body)


async def _slices(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), _PIECE_BYTES):
        yield body[start : start + _PIECE_BYTES]


def _passed_back(response: aiohttp.ClientResponse) -> list[tuple[str, str]]:
    """Latin-1 has a character for every byte, so that what isn't ASCII leaves at the edge as it came."""
    decoded = ((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in response.raw_headers)
    return [(name, value) for name, value in decoded if passes_back(name)]


def _translated(error: Exception, name: str, remaining: float, at_most_s: float, when_lost: type[BackendError]) -> PointsmanError:
    """A step that had `remaining` seconds of its deadline and `at_most_s` of its own, and failed: in our words."""
    where = f"backends.{name}.base_url"
    if isinstance(error, aiohttp.ServerTimeoutError):
        return BackendTimeout(f"The backend {name} didn't take a connection within its connect_timeout_s; is {where} right?", backend=name)
    if isinstance(error, TimeoutError):
        if remaining <= at_most_s:
            return DeadlineExceeded(f"The deadline passed while the backend {name} was answering; give the call longer.", backend=name)
        limit = "first_byte_timeout_s" if when_lost is BackendUnreachable else "idle_timeout_s"
        return BackendTimeout(f"The backend {name} sent nothing for {at_most_s:g} s, its {limit}.", backend=name)
    if isinstance(error, aiohttp.ClientResponseError):
        return BackendFailed(f"The backend {name} answered with something that isn't HTTP; is {where} right?", backend=name)
    cut = "cut the connection before its answer was complete; try again."
    what = f"can't be reached; is {where} right?" if when_lost is BackendUnreachable else cut
    return when_lost(f"The backend {name} {what}", backend=name, retry_after_s=1)


def _refused(name: str, response: aiohttp.ClientResponse) -> BackendError:
    status, wait_s = response.status, retry_after(response.headers.get("retry-after", ""))
    error: BackendError
    if status in (401, 403):
        error = BackendAuth(f"The backend {name} refused our key ({status}); its key_env or key_file needs a look.", backend=name)
    elif status == 429:
        retry_after_s = 1.0 if wait_s is None else wait_s
        said = f"The backend {name} is at its rate limit; try again in {retry_after_s:g} s."
        error = BackendRateLimited(said, backend=name, retry_after_s=retry_after_s)
    else:
        advice = f"backends.{name}.base_url is to name where that leads" if 300 <= status < 400 else "its own log says why"
        error = BackendFailed(f"The backend {name} answered {status}; {advice}.", backend=name, retry_after_s=wait_s)
    error.answered, error.wait_s = status, wait_s
    return error
