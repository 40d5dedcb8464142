"""Noticing that settings have changed, and which."""

from __future__ import annotations

from pathlib import Path

import pytest

from pointsman.runtime.backend_settings import BackendSettings
from pointsman.runtime.reloading import SettingsSource, changed_keys
from pointsman.runtime.settings import Settings
from pointsman.runtime.settings_file import SettingsError


def test_changed_keys_are_told_without_their_values() -> None:
    """Down to the last key, and whole where a part comes or goes."""

    def settings(**backend: object) -> Settings:
        return Settings(backends={"strong": BackendSettings.model_validate({"base_url": "http://x/v1", "model": "m", **backend})}, pairs={})

    changed = list(changed_keys(settings(), settings(headers={"x-key": "secret"}, max_connections=5)))
    assert changed == ["backends.strong.headers.x-key", "backends.strong.max_connections"]
    assert list(changed_keys(settings(), settings())) == []


def test_a_file_is_stale_once_it_is_another_than_was_read(tmp_path: Path) -> None:
    """Changed, replaced or gone; one that was wrong isn't stale for that."""
    file = tmp_path / "settings.yaml"
    file.write_text("gateway: {rest_port: 1}")
    source = SettingsSource(file)
    assert source().gateway.rest_port == 1
    assert not source.is_stale()
    (tmp_path / "new").write_text("gateway: {rest_prt: 2}")
    (tmp_path / "new").replace(file)
    assert source.is_stale()
    with pytest.raises(SettingsError, match="rest_port"):
        source()
    assert not source.is_stale()
    file.unlink()
    assert source.is_stale()


def test_without_a_file_there_is_nothing_to_look_at() -> None:
    """The defaults and the environment stay."""
    source = SettingsSource(None)
    source()
    assert not source.is_stale()
