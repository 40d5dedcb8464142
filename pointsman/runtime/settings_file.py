"""Loads the settings: one YAML file, then the environment over it. The only module that reads the environment."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict

from pointsman.runtime.settings import Settings
from pointsman.runtime.settings_faults import sentence, top_level_fault, yaml_fault
from pointsman.runtime.settings_lines import Lines

ENV_PREFIX = "POINTSMAN_"
"""`POINTSMAN_GATEWAY__REST_PORT=7070` sets gateway.rest_port."""
SETTINGS_ENV = "POINTSMAN_SETTINGS"
Part = TypeVar("Part", bound=BaseModel)


class SettingsError(Exception):
    """The settings can't be used; the message names the file, the line, the key and what would be right."""


def load_settings(path: Path | None = None) -> Settings:
    """The settings of `path`, else of the file that POINTSMAN_SETTINGS names, else the defaults. Raises `SettingsError`."""
    path = settings_path(path)
    text = _text(path) if path else ""
    environment = _environment()
    values = _merge(_parsed(path, text) if path else {}, environment)
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(_sentences(error, path, text, environment)) from None


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
    text = _text(path)
    try:
        return schema.model_validate(_parsed(path, text))
    except ValidationError as error:
        raise SettingsError(_sentences(error, path, text, {}, schema)) from None


def read_secret(key_env: str | None, key_file: Path | None, where: str = "") -> str | None:
    """A key or token, read now so that a changed file counts; `where` is the setting that names it, without its `_env` or `_file`.

    Raises `SettingsError` naming what is missing, never its value.
    """
    if key_env:
        if not (key := os.environ.get(key_env, "").strip()):
            by = f"{where}_env: " if where else ""
            raise SettingsError(f"{by}the environment variable {key_env}, which should hold a secret, is empty or not set")
        return key
    if key_file:
        by = f"{where}_file: " if where else ""
        try:
            return key_file.read_text().strip()
        except OSError as error:
            raise SettingsError(f"{by}the key file {key_file} can't be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise SettingsError(f"{by}the key file {key_file} isn't text") from None
    return None


def repeated_keys(path: Path) -> list[str]:
    """Keys that the file has twice, of which the last counts: a sentence each. Raises `SettingsError`."""
    text = _text(path)
    _parsed(path, text)
    return [f"{path}:{line}: {name}: stands in the file twice; this one counts" for name, line in Lines(text).repeated]


def strange_variables() -> list[str]:
    """Variables of the environment that look like settings and are none: a sentence each."""
    known = sorted(Settings.model_fields)
    said = []
    for name in sorted(os.environ):
        part, below, _ = name.upper().removeprefix(ENV_PREFIX).partition("__")
        if name.upper().startswith(ENV_PREFIX) and below and part.lower() not in known:
            near = difflib.get_close_matches(part.lower(), known, n=1)
            advice = f"did you mean {ENV_PREFIX}{near[0].upper()}__…?" if near else f"known parts: {', '.join(known)}"
            said.append(f"the environment variable {name} sets nothing; {advice}")
    return said


def setting_variables() -> list[str]:
    """Names of the environment's variables that go over the file."""
    parts = {name.upper() for name in Settings.model_fields}
    return sorted(
        name
        for name, value in os.environ.items()
        if value and name.upper().startswith(ENV_PREFIX) and name.upper().removeprefix(ENV_PREFIX).partition("__")[0] in parts
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        by = f" ({SETTINGS_ENV} names it)" if os.environ.get(SETTINGS_ENV) == str(path) else ""
        raise SettingsError(f"{path}: can't be read: {error.strerror}{by}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: not UTF-8; save it as UTF-8") from None


def _parsed(path: Path, text: str) -> dict[str, Any]:
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        line, what = yaml_fault(error, text)
        raise SettingsError(f"{path}{f':{line}' if line else ''}: not valid YAML: {what}") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise SettingsError(f"{path}: {top_level_fault(values)}")
    return values


class _Environment(BaseSettings, Settings):
    """The schema as pydantic-settings wants it; never built, only read for its fields."""

    # An empty variable is none, as compose files have it: NAME: ${OTHER:-}.
    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, env_nested_delimiter="__", env_ignore_empty=True, extra="forbid")


class _Variables(EnvSettingsSource):
    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """A list or a mapping from JSON; what isn't JSON stays the text that it is, for the schema to refuse by its variable's name."""
        try:
            return json.loads(value)
        except ValueError:
            return value


def _environment() -> dict[str, Any]:
    # pydantic-settings reads the nested names; validation is left to the schema, so that a wrong value is named the same way.
    return dict(_Variables(_Environment)())


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _sentences(
    error: ValidationError, path: Path | None, text: str, environment: Mapping[str, Any], schema: type[BaseModel] = Settings
) -> str:
    lines = Lines(text)
    return "\n".join(f"{_source(e['loc'], str(e['msg']), path, lines, environment)}: {sentence(e, schema)}" for e in error.errors())


def _source(loc: tuple[int | str, ...], message: str, path: Path | None, lines: Lines, environment: Mapping[str, Any]) -> str:
    """The environment's variable that set the key, else the file, and the line of the key where it has one."""
    if _holds(environment, loc):
        set_by = {name.upper(): name for name in os.environ}
        names = (ENV_PREFIX + "__".join(str(part) for part in loc[:length]).upper() for length in range(len(loc), 0, -1))
        return next((set_by[name] for name in names if name in set_by), "environment")
    # What is wrong between several parts has no place of its own, and names its key itself.
    named = message.removeprefix("Value error, ").partition(": ")[0]
    line = lines.of(loc) if loc else lines.of_name(named)
    return f"{path}:{line}" if path and line else str(path or "environment")


def _holds(values: Any, loc: tuple[int | str, ...]) -> bool:
    """Whether the key is set there, or the list that has the item."""
    for part in loc:
        if isinstance(values, list):
            return True
        if not isinstance(values, Mapping) or part not in values:
            return False
        values = values[part]
    return bool(loc)
