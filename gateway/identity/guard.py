"""Who calls, or why nobody gets in: one piece of code for REST and gRPC."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Final

from gateway.identity.key_book import KeyBook
from gateway.identity.keyring import Caller
from pointsman.runtime.errors import PermissionDenied, Unauthenticated

KEY_HEADERS: Final = ("api-key", "x-api-key")
"""Where Azure's clients send their key; `authorization: Bearer <key>` wins over them."""
CHALLENGE: Final = ("www-authenticate", "Bearer")
_SEND_ONE: Final = "This needs an API key: send it as `authorization: Bearer <key>`."
# One sentence for a key that nobody has and for one that is almost right.
_UNKNOWN: Final = "The API key isn't one that is known here; whoever runs this service gives them out."


def _now() -> datetime:
    return datetime.now(UTC)


class Guard:
    """Recognises callers by the keys in force; without a key book everybody is nobody in particular."""

    def __init__(self, book: KeyBook | None, clock: Callable[[], datetime] = _now) -> None:
        self._book = book
        self._clock = clock

    @property
    def asks_for_keys(self) -> bool:
        """Whether there is a keys file."""
        return self._book is not None

    def identify(self, said: Mapping[str, str], certificate_names: Callable[[], Collection[str]]) -> Caller | None:
        """The caller by the headers or metadata, else by the verified names of its certificate; None where no keys are asked for.

        Raises `Unauthenticated`. Only whoever holds a key learns that it has expired or was revoked.
        """
        if self._book is None:
            return None
        keys = self._book.now
        if key := said_key(said):
            caller = keys.by_key(key)
            kind = "API key"
        else:
            caller = keys.by_certificate(certificate_names())
            kind = "client certificate's entry"
        if caller is None:
            raise Unauthenticated(_UNKNOWN if key else _SEND_ONE)
        if caller.entry.revoked:
            raise Refused(f"The {kind} has been revoked; whoever runs this service gives out another.", caller.name)
        if caller.entry.expires and caller.entry.expires <= self._clock():
            raise Refused(f"The {kind} has expired; whoever runs this service gives out another.", caller.name)
        return caller


class Refused(Unauthenticated):
    """A key that counts no more; `caller` is its name, for the log."""

    def __init__(self, message: str, caller: str) -> None:
        super().__init__(message)
        self.caller = caller


def said_key(said: Mapping[str, str]) -> str:
    """The key among headers, whose names are lower case; empty for none."""
    scheme, _, key = said.get("authorization", "").strip().partition(" ")
    if scheme.lower() == "bearer" and key.strip():
        return key.strip()
    return next((said[name].strip() for name in KEY_HEADERS if said.get(name, "").strip()), "")


def need_admin(caller: Caller | None) -> None:
    """Raises `PermissionDenied` for a key that isn't an operator's."""
    if caller and not caller.entry.admin:
        raise PermissionDenied("This needs a key with `admin: true` in the keys file.")
