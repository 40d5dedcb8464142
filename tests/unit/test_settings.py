"""One settings file: read strictly, and wrong ones are told where and what."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pointsman.runtime.keys_file import KeysFile
from pointsman.runtime.settings import Settings, with_local_llms
from pointsman.runtime.settings_faults import PATTERNS
from pointsman.runtime.settings_file import SettingsError, load_settings, read_secret


def _written(folder: Path, text: str) -> Path:
    path = folder / "settings.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_no_file_and_an_empty_file_are_the_defaults(tmp_path: Path) -> None:
    """Two local LLMs, loopback, two strategies."""
    assert load_settings() == load_settings(_written(tmp_path, "")) == Settings()
    local = with_local_llms(Settings())
    assert set(local.backends) == {"strong", "weak"}
    assert all("127.0.0.1" in backend.base_url for backend in local.backends.values())


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("gateway: {rest_prot: 7}", "gateway.rest_prot: unknown key; did you mean 'rest_port'?"),
        ("strategies: {mf: {theads: 3}}", "strategies.mf.theads: unknown key; did you mean 'threads'?"),
        (
            "backends: {a: {base_url: http://x, model: m, prices: {prompt_per_milion: 1}}}",
            "unknown key; did you mean 'prompt_per_million'?",
        ),
        ("controler: {}", "controler: unknown key; did you mean 'controller'?"),
        ("gateway: {rest_port: 70000}", "gateway.rest_port: Input should be less than or equal to 65535"),
        ("strategies: {mf: {on_failure: maybe}}", "strategies.mf.on_failure: Input should be 'strong', 'weak' or 'error'"),
        ("strategies: {MF: {}}", "strategies.MF"),
        ("strategies: {}", "strategies"),
        ("backends: {a: {base_url: 'ftp://x', model: m}}", "backends.a.base_url"),
        ("backends: {a: {base_url: 'http://x/v1?v=1', model: m}}", "backends.a: base_url has a path and nothing behind it"),
        ("backends: {a: {base_url: 'http://x', model: m, key_header: 'a b'}}", "backends.a.key_header"),
        ("backends: {a: {base_url: 'http://x', model: m, query: {v: 1}}}", "backends.a.query.v"),
        ("backends: {a: {base_url: 'http://x/v1', model: m}}", "pairs.default.strong: no backend is named 'strong'; there are: a"),
        ("policies: {p: {strategies: [mf, bert], max_quality_loss: 0.03}}", "several strategies take a threshold"),
        ("backends: {strong: {base_url: 'http://x/v1', model: m, supports: [visoin]}}", "backends.strong.supports"),
        (
            "backends: {strong: {base_url: 'http://x/v1', model: m, fallbacks: [b]}, weak: {base_url: 'http://x/v1', model: m}}",
            "backends.strong.fallbacks: no backend is named 'b'; there are: strong, weak",
        ),
        ("policies: {p: {strategies: [mf]}}", "exactly one of threshold, strong_share and max_quality_loss"),
        (
            "policies: {p: {strategies: [nope], threshold: 0.5}}",
            "no strategy is named 'nope'; there are: bert, causal_llm, mf, random, sw_ranking",
        ),
        ("controller: {shadow: {strategy: nope}}", "controller.shadow.strategy: no strategy is named 'nope'"),
        ("controller: {scorer_timeout_s: .nan}", "controller.scorer_timeout_s"),
        ("gateway: {redis_url: 'redis://:secret@h/0'}", "a redis_url with a password belongs in redis_url_env or redis_url_file"),
        ("gateway: {redis_url: 'redis://h/0', redis_url_env: X}", "redis_url, redis_url_env and redis_url_file exclude one another"),
        ("gateway: {redis_url: 'http://h'}", "gateway.redis_url"),
        ("- a list", "the top level must be keys and values, such as `gateway:`, not a list"),
        ("policies: {a: {strategies: [mf, {x: 1}], threshold: 0.5}}", "policies.a.strategies.1: must be a text, not keys and values"),
        ("gateway: {controllers: [a:1, [2]]}", "gateway.controllers.1: must be a text, not a list"),
        ("backends: {a: {base_url: http://x, model: m, headers: {a: 1}}}", "headers.a: must be a text, not a number; put it in quotes"),
        ("backends: [a]", "backends: must be keys and values, such as"),
        ("gateway:\n", "gateway: has nothing below it; give it keys, or remove it"),
        ("gateway: {default_timeout_s: 30s}", "gateway.default_timeout_s: must be a number, without a unit, not a text"),
        ("controller: {on_overload: refused}", "did you mean 'refuse'?"),
    ],
)
def test_a_wrong_setting_stops_the_process_and_names_it(tmp_path: Path, text: str, complaint: str) -> None:
    """File, key, and the nearest valid name or the allowed range."""
    path = _written(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    assert complaint in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: [", ":1: not valid YAML: column 5: "),
        ("gateway:\n  rest_port: 1\n  host: a: b\n", ":3: not valid YAML: column 10: "),
        ("gateway:\n  host: a: b\n", "a value with ': ' in it needs quotes"),
        ("gateway:\n\trest_port: 1\n", ":2: not valid YAML: column 1: "),
        ("gateway:\n\trest_port: 1\n", "indent with spaces"),
        ("gateway:\n  rest_port: 1\n host: x\n", "keys of one part are indented alike"),
        ("gateway: {rest_port: 1\nbackends: {}\n", "a { isn't closed"),
        ("gateway:\n  host: 'x\n", "a quote isn't closed"),
        ("gateway: {}\n---\ngateway: {}\n", ":2: not valid YAML"),
        ('gateway: {host: "a\x00"}', ":1: not valid YAML: a control character"),
        ("a:\n  b: *canary\n", "found undefined alias; a value that begins with * needs quotes"),
        ("a:\n  b: !canary x\n", "for the tag; a value that begins with ! needs quotes"),
    ],
)
def test_what_isnt_yaml_is_told_with_its_place_and_what_would_be(tmp_path: Path, text: str, complaint: str) -> None:
    """File, line and column; never the line itself, which may have a key in it."""
    path = _written(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    assert f"{path}:" in str(caught.value)
    assert complaint in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("POINTSMAN_GATEWAY__CONTROLLERS", "a:1,b:2", 'gateway.controllers: must be a list, such as ["a", "b"], not a text'),
        ("POINTSMAN_GATEWAY__CONTROLLERS", '["a:1", 3]', "gateway.controllers.1: must be a text, not a number"),
        ("POINTSMAN_BACKENDS", "{bad", "backends: must be keys and values"),
        ("POINTSMAN_GATEWAY", "x", "gateway: must be keys and values"),
        ("POINTSMAN_GATEWAY__REST_PORT", "many", "gateway.rest_port: must be a whole number, not a text"),
        ("POINTSMAN_GATEWAY__ADMIN", "si", "gateway.admin: must be true or false, not a text"),
        ("POINTSMAN_GATEWAY__REST_PROT", "1", "gateway.rest_prot: unknown key; did you mean 'rest_port'?"),
    ],
)
def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, complaint: str) -> None:
    """Also one that should hold JSON and holds something else."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value).startswith(f"{name}: ")
    assert complaint in str(caught.value)


def test_every_pattern_of_the_settings_is_told_in_words() -> None:
    """Nobody has to read a regular expression."""
    schemas = json.dumps([Settings.model_json_schema(), KeysFile.model_json_schema()])
    found = {json.loads(f'"{pattern}"') for pattern in re.findall(r'"pattern": "((?:[^"\\]|\\.)*)"', schemas)}
    assert found
    assert found <= PATTERNS.keys()


def test_a_missing_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a traceback; and where the name came from the environment, by which variable."""
    with pytest.raises(SettingsError, match=r"none\.yaml: can't be read: No such file or directory$"):
        load_settings(tmp_path / "none.yaml")
    monkeypatch.setenv("POINTSMAN_SETTINGS", str(tmp_path / "none.yaml"))
    with pytest.raises(SettingsError, match=r"none\.yaml: can't be read: .* \(POINTSMAN_SETTINGS names it\)$"):
        load_settings()


def test_the_environment_goes_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One key at a time, checked by the same schema."""
    path = _written(tmp_path, "gateway: {rest_port: 1, grpc_port: 2}")
    monkeypatch.setenv("POINTSMAN_GATEWAY__REST_PORT", "7070")
    assert (load_settings(path).gateway.rest_port, load_settings(path).gateway.grpc_port) == (7070, 2)
    monkeypatch.setenv("POINTSMAN_GATEWAY__REST_PORT", "many")
    with pytest.raises(SettingsError, match=r"gateway\.rest_port"):
        load_settings(path)


def test_a_key_is_read_when_it_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a file or the environment; what is missing is named, its value never."""
    (tmp_path / "key").write_text(" secret \n")
    assert read_secret(None, tmp_path / "key") == "secret"
    monkeypatch.setenv("SOME_KEY", "other")
    assert read_secret("SOME_KEY", None) == "other"
    assert read_secret(None, None) is None
    with pytest.raises(SettingsError, match="NO_SUCH_KEY"):
        read_secret("NO_SUCH_KEY", None)
    with pytest.raises(SettingsError, match="gone"):
        read_secret(None, tmp_path / "gone")


def test_an_azure_version_needs_no_quotes(tmp_path: Path) -> None:
    """YAML would make a date of it."""
    path = _written(tmp_path, "backends: {strong: &a {base_url: http://x, model: m, query: {api-version: 2024-10-21}}, weak: *a}")
    assert load_settings(path).backends["strong"].query == {"api-version": "2024-10-21"}
