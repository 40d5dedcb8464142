"""Loads the settings: one YAML file, then the environment over it. The only module that reads the environment."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict

from pointsman.runtime.settings import Settings

ENV_PREFIX = "POINTSMAN_"
"""`POINTSMAN_GATEWAY__REST_PORT=7070` sets gateway.rest_port."""
SETTINGS_ENV = "POINTSMAN_SETTINGS"
Part = TypeVar("Part", bound=BaseModel)


class SettingsError(Exception):
    """The settings can't be used; the message names the file, the key and what would be right."""


def load_settings(path: Path | None = None) -> Settings:
    """The settings of `path`, else of the file that POINTSMAN_SETTINGS names, else the defaults. Raises `SettingsError`."""
    path = settings_path(path)
    source = str(path) if path else "environment"
    values = _merge(_read(path) if path else {}, _environment())
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError("\n".join(_sentence(source, e["loc"], e) for e in error.errors())) from None


def settings_path(path: Path | None) -> Path | None:
    """The settings file: `path`, else the one that POINTSMAN_SETTINGS names; None for no file."""
    named = os.environ.get(SETTINGS_ENV)
    return Path(named) if path is None and named else path


def environment_over(changes: Mapping[str, object]) -> dict[str, str]:
    """The environment of a process whose settings differ from the file's: values by their dotted keys (`gateway.rest_port`)."""
    named = {
        ENV_PREFIX + key.upper().replace(".", "__"): str(value) if isinstance(value, str | Path) else json.dumps(value)
        for key, value in changes.items()
    }
    return {**{name: value for name, value in os.environ.items() if name.upper() not in named}, **named}


def cache_folder() -> Path:
    """Where is kept what can be made again, by the XDG convention: `pointsman` in XDG_CACHE_HOME, else in ~/.cache."""
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # The convention: a relative path is as good as none.
    return (named if named.is_absolute() else Path.home() / ".cache") / "pointsman"


def load_part(path: Path, schema: type[Part]) -> Part:
    """Another YAML file, by a schema of its own, as strictly as the settings. Raises `SettingsError`."""
    try:
        return schema.model_validate(_read(path))
    except ValidationError as error:
        raise SettingsError("\n".join(_sentence(str(path), e["loc"], e, schema) for e in error.errors())) from None


def read_secret(key_env: str | None, key_file: Path | None) -> str | None:
    """A key or token, read now so that a changed file counts. Raises `SettingsError` naming what is missing, never its value."""
    if key_env:
        if not (key := os.environ.get(key_env, "").strip()):
            raise SettingsError(f"the environment variable {key_env}, which should hold a secret, is empty or not set")
        return key
    if key_file:
        try:
            return key_file.read_text().strip()
        except OSError as error:
            raise SettingsError(f"the key file {key_file} can't be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise SettingsError(f"the key file {key_file} isn't text") from None
    return None


def _read(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: not UTF-8") from None
    except yaml.YAMLError as error:
        raise SettingsError(f"{path}: not valid YAML: {_without_text(error)}") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise SettingsError(f"{path}: the top level must be keys and values, not {type(values).__name__}")
    return values


def _without_text(error: yaml.YAMLError) -> str:
    """What is wrong and where, without the line itself: somebody may have written a key into it."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f"line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1}: {error.problem}"
    return "it can't be parsed"


class _Environment(BaseSettings, Settings):
    """The schema as pydantic-settings wants it; never built, only read for its fields."""

    # An empty variable is none, as compose files have it: NAME: ${OTHER:-}.
    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, env_nested_delimiter="__", env_ignore_empty=True, extra="forbid")


def _environment() -> dict[str, Any]:
    # pydantic-settings reads the nested names; validation is left to the schema, so that a wrong value is named the same way.
    return dict(EnvSettingsSource(_Environment)())


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _sentence(source: str, loc: tuple[int | str, ...], error: Any, schema: type[BaseModel] = Settings) -> str:
    key = ".".join(str(part) for part in loc) or "settings"
    if error["type"] == "extra_forbidden":
        known = _known_keys(loc[:-1], schema)
        near = difflib.get_close_matches(str(loc[-1]), known, n=1)
        advice = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
        return f"{source}: {key}: unknown key; {advice}"
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{source}: {key}: {message}"


def _known_keys(loc: tuple[int | str, ...], schema: type[BaseModel]) -> list[str]:
    annotation: Any = schema
    for part in loc:
        annotation = _without_none(annotation.model_fields[part].annotation) if _is_model(annotation) else get_args(annotation)[-1]
    return sorted(annotation.model_fields) if _is_model(annotation) else []


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _without_none(annotation: Any) -> Any:
    return next((a for a in get_args(annotation) if _is_model(a) and type(None) in get_args(annotation)), annotation)
