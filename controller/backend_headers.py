"""Which headers go to a backend and which come back, and what its Retry-After asks for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from multidict import CIMultiDict

from pointsman import __version__
from pointsman.runtime.backend_settings import BackendSettings
from pointsman.runtime.errors import InvalidRequest
from pointsman.runtime.header_syntax import is_sendable
from pointsman.runtime.settings_file import SettingsError, read_secret

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


class RequestHeaders:
    """What a backend is sent: the caller's own headers but for what is between us and them, the settings', the key."""

    def __init__(self, settings: BackendSettings) -> None:
        self._settings = settings
        self._key_header = settings.key_header.lower()
        self._fixed = {
            "content-type": "application/json",
            **{name.lower(): _as_written(value) for name, value in settings.headers.items()},
            # Bytes pass untouched, and usage is read from them: no compression.
            "accept-encoding": "identity",
        }
        self._not_callers = _CALLERS_OWN | self._fixed.keys() | {self._key_header}

    def of(self, headers: Iterable[tuple[str, str]], body: bytes) -> CIMultiDict[str]:
        """For a request with this body."""
        sent = CIMultiDict(self._fixed)
        sent["content-length"] = str(len(body))
        if self._key_header not in self._fixed and (key := read_key(self._settings)):
            sent[self._key_header] = f"Bearer {key}" if self._key_header == "authorization" else key
        for name, value in headers:
            if (name := name.lower()) not in self._not_callers:
                sent.add(name, _as_written(value))
        sent.setdefault("user-agent", _USER_AGENT)
        return sent


def read_key(backend: BackendSettings, name: str = "") -> str | None:
    """A backend's key, as it is now. Raises `SettingsError`, naming the backend, for one that is missing or that no header can carry."""
    key = read_secret(backend.key_env, backend.key_file, f"backends.{name}.key")
    if key and not is_sendable(backend.key_header, key):
        raise SettingsError(f"backends.{name}.key_{'env' if backend.key_env else 'file'}: the key has characters that no header can carry")
    return key


def check_keys(backends: Mapping[str, BackendSettings]) -> None:
    """Raises `SettingsError`, as `read_key` does, for the first backend whose key can't be used."""
    for name, backend in backends.items():
        read_key(backend, name)


def _as_written(value: str) -> str:
    """So that its bytes on the wire, which are to be UTF-8, are those that came, of which each character is one."""
    if value.isascii():
        return value
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value


def check_sendable(headers: Iterable[tuple[str, str]]) -> None:
    """Raises `InvalidRequest` for a header that HTTP can't carry; one with a line break would become two."""
    for name, value in headers:
        if not is_sendable(name, value):
            said = f"The header {name[:64]!r} can't be sent: its name or its value has a character that HTTP has no place for."
            raise InvalidRequest(said, param="headers")


def passes_back(name: str) -> bool:
    """Whether a response header (lower case) goes on; which web pages may call is not the backend's to say."""
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
