"""A number is no true or false, and true or false no number, wherever the settings ask for one of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pointsman.calibration.record import Sample
from pointsman.runtime.keys_file import KeyEntry, KeysFile
from pointsman.runtime.settings import Settings
from pointsman.runtime.settings_file import SettingsError, load_part, load_settings
from pointsman.runtime.settings_part import Part


def _parts(part: type[Part] = Part) -> Iterator[type[Part]]:
    for below in part.__subclasses__():
        if below.__module__.startswith("pointsman.") and not issubclass(below, Settings):
            yield below
            yield from _parts(below)


def _keys(*kinds: str) -> list[Any]:
    """Every key of those JSON types, of every part of the settings and of the keys file."""
    return [
        pytest.param(part, name, id=f"{part.__name__}.{name}")
        for part in _parts()
        for name, schema in part.model_json_schema()["properties"].items()
        if {each.get("type") for each in schema.get("anyOf", [schema])} & set(kinds)
    ]


@pytest.mark.parametrize(("part", "name"), _keys("integer", "number"))
def test_true_is_no_number(part: type[Part], name: str) -> None:
    """Of no key, also of those where 1 is allowed."""
    for given in (True, False):
        with pytest.raises(ValidationError) as caught:
            part.model_validate({name: given})
        assert {e["type"] for e in caught.value.errors() if e["loc"] == (name,)} <= {"int_type", "float_type"}
        assert any(e["loc"] == (name,) for e in caught.value.errors())


@pytest.mark.parametrize(("part", "name"), _keys("boolean"))
def test_a_number_is_no_true_or_false(part: type[Part], name: str) -> None:
    """Neither 1 nor 0."""
    for given in (1, 0, 0.0):
        with pytest.raises(ValidationError) as caught:
            part.model_validate({name: given})
        assert [e["type"] for e in caught.value.errors() if e["loc"] == (name,)] == ["bool_type"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gateway:\n  rest_port: true\n", ":2: gateway.rest_port: must be a whole number, not true or false"),
        ("gateway:\n  max_lag_s: no\n", ":2: gateway.max_lag_s: must be a number, without a unit, not true or false"),
        ("log: {}\ngateway:\n  page: 1\n", ":3: gateway.page: must be true or false, not a number"),
        ("strategies:\n  mf:\n    max_batch: on\n", ":3: strategies.mf.max_batch: must be a whole number, not true or false"),
        (
            "backends:\n  a:\n    base_url: http://x\n    model: m\n    retry_statuses:\n      - 429\n      - true\n",
            ":7: backends.a.retry_statuses.1: must be a whole number, not true or false",
        ),
    ],
)
def test_the_error_names_file_line_and_key(tmp_path: Path, text: str, said: str) -> None:
    """As of any other wrong value."""
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    assert str(caught.value).startswith(f"{path}{said}")


def test_an_item_is_named_by_its_place(tmp_path: Path) -> None:
    """Of a list, and of a mapping."""

    class Lists(Part):
        shares: tuple[float, ...]
        ports: dict[str, int]

    path = tmp_path / "lists.yaml"
    path.write_text("shares:\n  - 0.5\n  - true\nports:\n  a: 1\n  b: false\n")
    with pytest.raises(SettingsError) as caught:
        load_part(path, Lists)
    assert str(caught.value).splitlines() == [
        f"{path}:3: shares.1: must be a number, without a unit, not true or false",
        f"{path}:6: ports.b: must be a whole number, not true or false",
    ]


def test_records_and_keys_are_as_strict(tmp_path: Path) -> None:
    """They are files too that somebody may have written."""
    with pytest.raises(ValidationError, match=r"quantiles\.1"):
        Sample.model_validate({"quantiles": [0.0, True]})
    with pytest.raises(ValidationError, match="revoked"):
        KeyEntry.model_validate({"name": "a", "certificates": ["a"], "revoked": 1})
    assert KeysFile.model_validate({"keys": []}).keys == []


@pytest.mark.parametrize(("text", "meant"), [("1", True), ("true", True), ("on", True), ("0", False), ("false", False), ("no", False)])
def test_the_environment_says_true_by_a_text(monkeypatch: pytest.MonkeyPatch, text: str, meant: bool) -> None:
    """It has nothing else, for numbers neither."""
    for name in ("GATEWAY__PAGE", "GATEWAY__ADMIN", "SCORERS__HAPROXY", "CONTROLLER__ALLOW_BACKEND_NAMES"):
        monkeypatch.setenv(f"POINTSMAN_{name}", text)
    monkeypatch.setenv("POINTSMAN_GATEWAY__REST_PORT", "1")
    settings = load_settings()
    assert {settings.gateway.page, settings.gateway.admin, settings.scorers.haproxy, settings.controller.allow_backend_names} == {meant}
    assert settings.gateway.rest_port == 1


def test_what_the_environment_says_in_json_is_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """So the variable is named, as a file's line is."""
    monkeypatch.setenv("POINTSMAN_GATEWAY", '{"rest_port": true}')
    with pytest.raises(SettingsError, match=r"^POINTSMAN_GATEWAY: gateway\.rest_port: must be a whole number, not true or false"):
        load_settings()
