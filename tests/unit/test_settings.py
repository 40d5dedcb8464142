"""One settings file: read strictly, and wrong ones are told where and what."""

from __future__ import annotations

from pathlib import Path

import pytest

from pointsman.runtime.settings import Settings, with_local_llms
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
        ("- a list", "the top level must be keys and values"),
        ("a: [", "not valid YAML"),
    ],
)
def test_a_wrong_setting_stops_the_process_and_names_it(tmp_path: Path, text: str, complaint: str) -> None:
    """File, key, and the nearest valid name or the allowed range."""
    path = _written(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    assert complaint in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """Not a traceback."""
    with pytest.raises(SettingsError, match=r"none\.yaml: can't be read"):
        load_settings(tmp_path / "none.yaml")


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
