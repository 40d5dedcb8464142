"""deploy/settings.example.yaml: what users start from is complete and true."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel

import pointsman
from pointsman.runtime.backend_settings import BackendSettings
from pointsman.runtime.settings import Settings
from pointsman.runtime.settings_file import load_settings

EXAMPLE = Path(pointsman.__file__).parent.parent / "deploy" / "settings.example.yaml"


def with_examples_on(text: str) -> str:
    """The file with its commented-out examples in force."""
    return re.sub(r"^#(?=\S|  +\w+: *\S|  +[\w-]+:$)", "", text, flags=re.MULTILINE)


def keys(model: Any) -> Iterator[str]:
    """Every key of a part of the schema and of the parts in it."""
    if isinstance(model, type) and issubclass(model, BaseModel):
        for name, field in model.model_fields.items():
            yield name
            yield from keys(field.annotation)
    else:
        for argument in get_args(model):
            yield from keys(argument)


def test_it_loads_and_holds_the_defaults() -> None:
    """As it is, it changes nothing."""
    assert load_settings(EXAMPLE) == Settings()


def test_every_key_of_the_schema_is_in_it() -> None:
    """A new setting without its line here is a failure."""
    text = EXAMPLE.read_text()
    missing = [key for key in set(keys(Settings)) if not re.search(rf"\b{key}\b", text)]
    assert missing == []


def test_every_default_has_its_explanation() -> None:
    """A line that sets a value says what it is."""
    bare = [line for line in EXAMPLE.read_text().splitlines() if re.match(r" *[\w-]+: +[^# ]", line) and " # " not in line]
    assert bare == []


def test_its_examples_load_once_they_are_no_comments(tmp_path: Path) -> None:
    """Real backends with prices and keys, and a policy."""
    file = tmp_path / "settings.yaml"
    file.write_text(with_examples_on(EXAMPLE.read_text()))
    settings = load_settings(file)
    assert settings.backends["strong"].key_env == "STRONG_API_KEY"
    assert settings.backends["strong"].prices
    assert settings.policies["support-bot"].threshold == 0.5
    assert not settings.uses_local_llms


_SHOWN = ["connect_timeout_s", "first_byte_timeout_s", "idle_timeout_s", "max_connections", "headers", "key_header", "query", "retries"]
_SHOWN += ["retry_statuses", "retry_share", "backoff_s", "max_backoff_s", "max_retry_after_s", "fallbacks", "breaker", "supports"]
_SHOWN += ["max_context"]


@pytest.mark.parametrize("key", _SHOWN)
def test_the_example_backend_shows_the_schemas_defaults(key: str) -> None:
    """What it shows of the optional keys is what they are without it."""
    shown = yaml.safe_load(with_examples_on(EXAMPLE.read_text()))["backends"]["strong"]
    bare = {"base_url": "http://x/v1", "model": "m"}
    strong, defaults = (BackendSettings.model_validate(each) for each in ({**bare, key: shown[key]}, bare))
    assert getattr(strong, key) == getattr(defaults, key)
