"""Settings as values of JSON and YAML: all of them or what differs from the defaults, without what may be a secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from pointsman.runtime.settings import Settings

HIDDEN: Final = "(hidden)"
_SECRET_NAMES: Final = re.compile(r"auth|key|token|secret|cookie|password|signature", re.IGNORECASE)
_USERINFO: Final = re.compile(r"(?<=://)[^/@\s]*@")


def shown(settings: Settings, *, changed: bool = False) -> dict[str, Any]:
    """The settings in the order of the schema; with `changed` only what a file needs to give the same settings.

    Secrets aren't in settings but by the names of their variables and files. Where somebody wrote one into headers, query parameters or
    a URL nevertheless, it is hidden.
    """
    return _of_part(settings, Settings() if changed else None, changed=changed)


def _of_part(part: BaseModel, default: BaseModel | None, *, changed: bool) -> dict[str, Any]:
    values = {}
    for name, field in type(part).model_fields.items():
        value = getattr(part, name)
        usual = getattr(default, name) if default else field.get_default(call_default_factory=True, validated_data={})
        if not changed or value != usual:
            values[name] = _value(name, value, usual, changed=changed)
    return values


def _value(name: str, value: object, usual: object, *, changed: bool) -> Any:
    if isinstance(value, BaseModel):
        return _of_part(value, usual if isinstance(usual, type(value)) else None, changed=changed)
    if isinstance(value, Mapping):
        # A mapping in a file takes the place of the default one: each of its names must be in it.
        hides = name in ("headers", "query")
        return {
            key: HIDDEN if hides and _SECRET_NAMES.search(key) else _value(key, each, None, changed=changed) for key, each in value.items()
        }
    if isinstance(value, frozenset):
        return sorted(value)
    plain = to_jsonable_python(value)
    return _USERINFO.sub(f"{HIDDEN}@", plain) if isinstance(plain, str) else plain
