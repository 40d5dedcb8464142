"""The keys file: who may call the gateway, what each may use, and how much of it. It holds no key, only their SHA-256."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final, Self

import yaml
from pydantic import AwareDatetime, BeforeValidator, Field, StringConstraints, ValidationError, model_validator

from pointsman.runtime.settings_file import SettingsError, load_part
from pointsman.runtime.settings_part import Name, Part, StrategyName
from pointsman.runtime.whole_files import written_whole

PREFIX: Final = "pm-"
"""Keys begin with it, so that people and secret scanners know one when they see it."""

_KEY: Final = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{8,}}")
CallerName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=64)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
CertificateName = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Limit = Annotated[int, Field(ge=1, le=10**12)]


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _no_number(value: Any) -> Any:
    # A number would be taken for seconds since 1970.
    if isinstance(value, int | float):
        raise ValueError("a time reads 2027-01-31T00:00:00Z (RFC 3339)")
    return value


class KeyEntry(Part):
    """One caller: how it is recognised, what it may use, and its limits."""

    name: CallerName
    """What logs, receipts and metrics call it."""
    # Plain SHA-256, without salt or stretching: those protect what people think up, and nobody guesses 256 random bits.
    sha256: Annotated[list[Sha256], BeforeValidator(_listed), Field(max_length=2)] = Field(default_factory=list)
    """Of its key; two while one key takes the place of another."""
    certificates: list[CertificateName] = Field(default_factory=list)
    """A client certificate with one of these verified names is this caller, without a key."""
    expires: Annotated[AwareDatetime, BeforeValidator(_no_number)] | None = None
    """From then on it is refused; null is never."""
    revoked: bool = False
    strategies: list[StrategyName] | None = None
    """Those that may score for it; null is every one, as in the other three lists."""
    pairs: list[Name] | None = None
    policies: list[Name] | None = None
    backends: list[Name] | None = None
    """Those that it may name instead of a router."""
    pin_tier: bool = False
    """Whether its requests may pin their tier."""
    admin: bool = False
    """An operator, who may read /metrics, where every caller is named, and call AdminService where it passes at the edge."""
    requests_per_minute: Limit | None = None
    tokens_per_minute: Limit | None = None
    concurrent_streams: Limit | None = None
    """Requests in progress at once, whole answers and streams alike."""

    @property
    def is_limited(self) -> bool:
        """Whether anything of its use is counted."""
        return any(limit is not None for limit in (self.requests_per_minute, self.tokens_per_minute, self.concurrent_streams))

    @model_validator(mode="after")
    def _recognisable(self) -> Self:
        if not self.sha256 and not self.certificates:
            raise ValueError("a key needs sha256, certificates, or both")
        return self


class KeysFile(Part):
    """The whole file."""

    keys: list[KeyEntry] = Field(default_factory=list)

    @model_validator(mode="after")
    def _unambiguous(self) -> Self:
        _once("name", (each.name for each in self.keys))
        _once("sha256", (digest for each in self.keys for digest in each.sha256))
        _once("certificate", (name for each in self.keys for name in each.certificates))
        return self


def _once(kind: str, values: Any) -> None:
    if twice := [value for value, count in Counter(values).items() if count > 1]:
        raise ValueError(f"the {kind} {twice[0]!r} is there twice")


def load_keys(path: Path) -> KeysFile:
    """The keys of a file. Raises `SettingsError` naming the file and what is wrong."""
    try:
        return load_part(path, KeysFile)
    except SettingsError as error:
        # Somebody may have written a key where a name belongs, and what is wrong is logged.
        raise SettingsError(_KEY.sub(f"{PREFIX}…", str(error))) from None


def digest_of(key: str) -> str:
    """What the keys file has of a key: 64 hex digits."""
    return hashlib.sha256(key.encode()).hexdigest()


def new_key(name: str, expires: datetime | None = None) -> tuple[str, KeyEntry]:
    """A key of 256 random bits, to be shown once and kept nowhere, and its entry. Raises `ValueError` in one sentence."""
    key = PREFIX + secrets.token_urlsafe(32)
    try:
        return key, KeyEntry(name=name, sha256=[digest_of(key)], expires=expires)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{first['loc'][0]}: {first['msg']}") from None


def entry_text(entry: KeyEntry) -> str:
    """The entry as YAML, to stand below `keys:`; what is as by default is left out."""
    values: dict[str, Any] = {"name": entry.name, "sha256": entry.sha256[0]}
    if entry.expires:
        values["expires"] = entry.expires.isoformat()
    first, *others = yaml.safe_dump(values, sort_keys=False).splitlines()
    return "\n".join([f"  - {first}", *(f"    {line}" for line in others)]) + "\n"


def with_entry(text: str, entry: KeyEntry) -> str:
    """A keys file's text with the entry at its end, all else as it was. Raises `ValueError` where it doesn't end in its list of keys."""
    begun = text if text.endswith("\n") or not text else text + "\n"
    added = (begun if yaml.safe_load(text) else begun + "keys:\n") + entry_text(entry)
    try:
        names = [each.name for each in KeysFile.model_validate(yaml.safe_load(added)).keys]
    except (yaml.YAMLError, ValidationError):
        names = []
    if names[-1:] != [entry.name]:
        raise ValueError("the file doesn't end in a block list of keys, indented by two; add the entry by hand")
    return added


def append_entry(path: Path, entry: KeyEntry) -> None:
    """Adds the entry to a keys file, or begins one. Raises `SettingsError` naming the file; nothing has changed then."""
    known = load_keys(path).keys if path.exists() else []
    if entry.name in (each.name for each in known):
        raise SettingsError(f"{path}: the name {entry.name!r} is there already; to rotate its key, add the new sha256 beside the old one")
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
        with written_whole(path) as file:
            os.fchmod(file.fileno(), mode)
            file.write(with_entry(before, entry).encode())
    except ValueError as error:
        raise SettingsError(f"{path}: {error}") from None
    except OSError as error:
        raise SettingsError(f"{path}: can't be written: {error.strerror}") from None
