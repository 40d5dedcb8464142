"""Headers of Relay's callers, which needn't be HTTP's."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.backend_headers import check_sendable, read_key
from pointsman.runtime.backend_settings import BackendSettings
from pointsman.runtime.errors import InvalidRequest
from pointsman.runtime.settings_file import SettingsError


@pytest.mark.parametrize("header", [("\x1f", "x"), ("a b", "x"), ("", "x"), ("x", "a\r\nb: c"), ("x", "\x00"), ("x", "ü€")])
def test_what_http_cannot_carry_is_refused(header: tuple[str, str]) -> None:
    with pytest.raises(InvalidRequest):
        check_sendable([("fine", "yes"), header])


def test_what_it_can_passes() -> None:
    check_sendable([("x-a_b", "tab\there"), ("accept", ""), ("x", "latin ü")])


@pytest.mark.parametrize(
    ("text", "said"),
    [("canary-key\n", ""), ("canary\nkey", "the key has characters that no header can carry"), (None, "can't be read: No such file")],
    ids=["a key", "two lines", "no file"],
)
def test_a_key_that_cant_be_sent_is_refused_by_the_settings_name(tmp_path: Path, text: str | None, said: str) -> None:
    """Where the settings are read; its characters are never told."""
    if text is not None:
        (tmp_path / "key").write_text(text)
    backend = BackendSettings(base_url="http://x/v1", model="m", key_file=tmp_path / "key")
    if not said:
        assert read_key(backend, "big") == "canary-key"
        return
    with pytest.raises(SettingsError, match=rf"^backends\.big\.key_file: .*{said}") as caught:
        read_key(backend, "big")
    assert "canary" not in str(caught.value)
