"""The page for people, GET /: files beside this one, read once, that hold no secret and no data."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.routing import Route

from gateway.exchange import Exchange
from gateway.headers import Headers
from gateway.rest_app import endpoint
from pointsman.runtime.errors import NotFound

_FOLDER: Final = Path(__file__).parent / "page"
_HOME: Final = "index.html"
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_ALWAYS: Final = [
    ("content-security-policy", _POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cache-control", "no-cache"),
]


@dataclass(frozen=True, slots=True)
class _File:
    body: bytes
    headers: Headers
    etag: str

    @classmethod
    def of(cls, path: Path) -> _File:
        body = path.read_bytes()
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        return cls(body, [("content-type", _TYPES[path.suffix]), ("etag", etag), *_ALWAYS], etag)


class StaticPage:
    """Under 100 kB, held in memory; a browser asks each time whether it has changed."""

    def __init__(self) -> None:
        self._files = {path.name: _File.of(path) for path in sorted(_FOLDER.iterdir()) if path.suffix in _TYPES}

    @property
    def paths(self) -> frozenset[str]:
        """What answers anybody: all that the page shows comes from the API, with the key of whoever looks at it."""
        return frozenset({"/", *(f"/page/{name}" for name in self._files)})

    def routes(self) -> list[Route]:
        """Logged as quietly as probes. They are no part of the API, and so not in /openapi.json."""
        return [
            endpoint("/", self.home, "GET", "HEAD", is_probe=True),
            endpoint("/page/{name}", self.file, "GET", "HEAD", is_probe=True),
        ]

    async def home(self, exchange: Exchange) -> None:
        """GET /."""
        await self._send(exchange, self._files[_HOME])

    async def file(self, exchange: Exchange) -> None:
        """GET /page/{name}. Raises `NotFound`."""
        found = self._files.get(exchange.path_params["name"])
        if found is None:
            raise NotFound("There is no such file of the page, which is at /.")
        await self._send(exchange, found)

    async def _send(self, exchange: Exchange, file: _File) -> None:
        known = {each.strip().removeprefix("W/") for each in exchange.headers.get("if-none-match", "").split(",")}
        if file.etag in known or "*" in known:
            await exchange.start(304, file.headers)
            await exchange.end()
            return
        await exchange.answer(200, file.headers, file.body)
