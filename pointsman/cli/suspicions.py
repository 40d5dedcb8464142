"""What is valid in the settings and yet is hardly meant: a sentence each, for `pointsman settings check` and `pointsman doctor`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from pointsman.cli.ports import contradictions
from pointsman.runtime.addresses import is_loopback
from pointsman.runtime.keys_file import load_keys
from pointsman.runtime.settings import Settings
from pointsman.runtime.settings_file import SettingsError, read_secret, repeated_keys, strange_variables

_SECRET_FILES: Final = ("key_file", "token_file", "redis_url_file")


def suspicions(settings: Settings, file: Path | None) -> list[str]:
    """What to look at; no secret is told. See `missing` too."""
    return [
        *(repeated_keys(file) if file else ()),
        *strange_variables(),
        *_open_doors(settings),
        *_readable_secrets(settings, ""),
        *(f"pointsman up would refuse this: {sentence}" for sentence in contradictions(settings)),
    ]


def missing(settings: Settings) -> list[str]:
    """What keys name and what isn't there or can't be used, as this machine and this environment have it: files and variables."""
    return [*_unreadable(settings, ""), *_keys_file(settings)]


def _unreadable(part: object, above: str) -> Iterator[str]:
    """Files and variables that keys name and that aren't there: whatever ends in _file or _env."""
    if isinstance(part, BaseModel):
        for name in type(part).model_fields:
            value, key = getattr(part, name), f"{above}{name}"
            if name.endswith("_file") and isinstance(value, Path):
                yield from _said(key, None, value)
            elif name.endswith("_env") and isinstance(value, str):
                yield from _said(key, value, None)
            else:
                yield from _unreadable(value, f"{key}.")
    elif isinstance(part, Mapping):
        for name, value in part.items():
            yield from _unreadable(value, f"{above}{name}.")


def _said(key: str, variable: str | None, file: Path | None) -> Iterator[str]:
    try:
        read_secret(variable, file)
    except SettingsError as error:
        yield f"{key}: {str(error).replace('the key file', 'the file')}"


def _keys_file(settings: Settings) -> Iterator[str]:
    file = settings.gateway.keys_file
    if not file or not file.is_file():
        return  # a missing one has been told
    try:
        load_keys(file)
    except SettingsError as error:
        yield f"gateway.keys_file: {error}"


def _readable_secrets(part: object, above: str) -> Iterator[str]:
    """Files with a secret that anybody on this machine may read. A keys file holds no key, and must only not be written to."""
    if isinstance(part, BaseModel):
        for name in type(part).model_fields:
            value, key = getattr(part, name), f"{above}{name}"
            if not isinstance(value, Path):
                yield from _readable_secrets(value, f"{key}.")
            elif value.is_file() and name.endswith(_SECRET_FILES) and value.stat().st_mode & 0o004:
                yield f"{key}: anybody on this machine may read {value}, which holds a secret: chmod o-r {value}"
    elif isinstance(part, Mapping):
        for name, value in part.items():
            yield from _readable_secrets(value, f"{above}{name}.")


def _open_doors(settings: Settings) -> Iterator[str]:
    gateway, controller = settings.gateway, settings.controller
    if (keys := gateway.keys_file) and keys.is_file() and keys.stat().st_mode & 0o002:
        yield f"gateway.keys_file: anybody on this machine may write to {keys}, and so add a key: chmod o-w {keys}"
    if not is_loopback(gateway.host) and not gateway.keys_file and not (gateway.tls and gateway.tls.client_certificates == "required"):
        yield f"gateway.host: {gateway.host} opens the gateway to the network, and it asks nobody for a key (gateway.keys_file)"
    if not is_loopback(gateway.host) and gateway.keys_file and not gateway.tls:
        yield f"gateway.host: {gateway.host} takes API keys without TLS, unless something before it has TLS (gateway.tls)"
    if not is_loopback(controller.host) and not (controller.token_env or controller.token_file or controller.tls):
        yield f"controller.host: {controller.host} opens the controller to the network, and it wants no token (controller.token_file)"
