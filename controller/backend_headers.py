"""Which headers go to a backend and which come back, and what its Retry-After asks for."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from pointsman import __version__
from pointsman.runtime.backend_settings import BackendSettings
from pointsman.runtime.errors import InvalidRequest
from pointsman.runtime.header_syntax import is_sendable
from pointsman.runtime.settings_file import read_secret

_USER_AGENT: Final = f"pointsman/{__version__}"
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
# What would break the framing, or is a key or cookie meant for us; gateways leave it out, other callers of Relay may not.
_CALLERS_OWN: Final = _HOP_BY_HOP | {"host", "expect", "authorization", "proxy-authorization", "api-key", "x-api-key", "cookie"}
_NOT_PASSED_ON: Final = _HOP_BY_HOP | {"set-cookie", "server", "date", "alt-svc", "strict-transport-security"}


def request_headers(settings: BackendSettings, headers: Iterable[tuple[str, str]], body: bytes) -> list[tuple[str, str]]:
    """What a backend is sent: the caller's own headers but for what is between us and them, the settings', the key."""
    own = {name.lower(): value for name, value in settings.headers.items()}
    if key := read_secret(settings.key_env, settings.key_file):
        header = settings.key_header.lower()
        own.setdefault(header, f"Bearer {key}" if header == "authorization" else key)
    own.setdefault("content-type", "application/json")
    # Bytes pass untouched, and usage is read from them: no compression.
    own["accept-encoding"] = "identity"
    own["content-length"] = str(len(body))
    said = [(name.lower(), value) for name, value in headers]
    if not any(name == "user-agent" for name, _ in said):
        own.setdefault("user-agent", _USER_AGENT)
    return [*((name, value) for name, value in said if name not in own and name not in _CALLERS_OWN), *own.items()]


def check_sendable(headers: Iterable[tuple[str, str]]) -> None:
    """Raises `InvalidRequest` for a header that HTTP can't carry; one with a line break would become two."""
    if not all(is_sendable(name, value) for name, value in headers):
        raise InvalidRequest("A header's name or value is nothing that HTTP can carry.", param="headers")


def passes_back(name: str) -> bool:
    """Whether a response header (lower case, as httpx gives it) goes on; which web pages may call is not the backend's to say."""
    return name not in _NOT_PASSED_ON and not name.startswith("access-control-")


def retry_after(text: str) -> float | None:
    """Seconds; None where the header is missing or nonsense. A date counts from our clock."""
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # a year or a time zone beyond all numbers overflows
        return None
    return max(0.0, (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - datetime.now(UTC).timestamp())
