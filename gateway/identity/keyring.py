"""The keys file as it is looked up: by a key that somebody presents, or by the names of a client certificate."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from gateway.headers import Metadata
from pointsman.runtime.callers import CALLER_KEY
from pointsman.runtime.keys_file import KeyEntry, KeysFile, digest_of
from pointsman.v1 import caller_pb2

LONGEST_KEY: Final = 512
"""Characters; a longer one isn't looked at."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller that was recognised: its entry in the keys file, and the `pointsman.v1.Caller` that the controller is sent."""

    entry: KeyEntry
    message: bytes

    @property
    def name(self) -> str:
        """Its name in the keys file."""
        return self.entry.name


@dataclass(frozen=True)
class Keyring:
    """All callers of one state of the keys file."""

    file: KeysFile
    # Nobody can choose a key's digest bit by bit, and what this dict is searched by is the digest of a digest under a secret of this
    # process, so that the time a look-up takes says nothing about the digests that are there. What is found is compared in constant time.
    _secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    _by_digest: dict[bytes, tuple[str, Caller]] = field(default_factory=dict, repr=False)
    _by_certificate: dict[str, Caller] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for entry in self.file.keys:
            caller = Caller(entry, message_of(entry).SerializeToString())
            self._by_digest.update({self._place(digest): (digest, caller) for digest in entry.sha256})
            self._by_certificate.update(dict.fromkeys(entry.certificates, caller))

    def _place(self, digest: str) -> bytes:
        return hmac.digest(self._secret, digest.encode(), "sha256")

    def by_key(self, key: str) -> Caller | None:
        """Whose key it is."""
        if len(key) > LONGEST_KEY:
            return None
        presented = digest_of(key)
        digest, caller = self._by_digest.get(self._place(presented), ("", None))
        return caller if hmac.compare_digest(digest, presented) else None

    def by_certificate(self, names: Collection[str]) -> Caller | None:
        """Whose certificate has one of these verified names."""
        return next((self._by_certificate[name] for name in names if name in self._by_certificate), None)


def caller_metadata(caller: Caller | None) -> Metadata:
    """What a call to the controller says of who asks: this alone, and nothing that the caller said itself."""
    return [(CALLER_KEY, caller.message)] if caller else []


def message_of(entry: KeyEntry) -> caller_pb2.Caller:
    """What the controller is told of a caller."""
    message = caller_pb2.Caller(name=entry.name, may_pin=entry.pin_tier, admin=entry.admin)
    for kind in ("strategies", "pairs", "policies", "backends"):
        if (names := getattr(entry, kind)) is not None:
            getattr(message, kind).CopyFrom(caller_pb2.Caller.Allowed(names=names))
    return message
