"""What is valid and hardly meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from pointsman.cli.suspicions import missing, suspicions
from pointsman.runtime.settings import Settings
from pointsman.runtime.settings_file import load_settings
from tests.unit.cli.test_example_settings import EXAMPLE


def test_the_defaults_are_not_suspicious() -> None:
    """Neither are those that the example file spells out."""
    assert suspicions(Settings(), None) == suspicions(load_settings(EXAMPLE), EXAMPLE) == missing(Settings()) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("log: {level: info, level: debug}", ":1: log.level: stands in the file twice"),
        (
            "backends: {strong: &a {base_url: http://x, model: m, key_env: NO_SUCH_KEY}, weak: *a}",
            "backends.strong.key_env: the environment",
        ),
        ("gateway: {tls: {cert_file: none.crt, key_file: none.key}}", "gateway.tls.cert_file: the file none.crt can't be read: No such"),
        ("gateway: {keys_file: none.yaml}", "gateway.keys_file: the file none.yaml can't be read"),
        ("gateway: {host: 0.0.0.0}", "gateway.host: 0.0.0.0 opens the gateway to the network, and it asks nobody for a key"),
        ("controller: {host: 0.0.0.0}", "controller.host: 0.0.0.0 opens the controller"),
        ("scorers: {grpc_port: 9001}", "pointsman up would refuse this: controller.scorers"),
    ],
)
def test_what_is_hardly_meant_is_told(tmp_path: Path, text: str, said: str) -> None:
    """By its key."""
    path = tmp_path / "settings.yaml"
    path.write_text(text, encoding="utf-8")
    settings = load_settings(path)
    assert any(said in each for each in [*missing(settings), *suspicions(settings, path)])


def test_a_keys_file_is_read(tmp_path: Path) -> None:
    """What is wrong in it is told by its line, and so is that anybody may write to it."""
    keys = tmp_path / "keys.yaml"
    keys.write_text("keys:\n  - name: a\n    sha: x\n")
    keys.chmod(0o646)
    settings = Settings.model_validate({"gateway": {"keys_file": str(keys)}})
    told = "\n".join([*missing(settings), *suspicions(settings, None)])
    assert f"gateway.keys_file: {keys}:3: keys.0.sha: unknown key" in told
    assert "chmod o-w" in told


def test_a_secret_that_anybody_may_read_is_told(tmp_path: Path) -> None:
    """By its file, and not a word of it."""
    key = tmp_path / "key"
    key.write_text("sk-secret")
    backend = {"base_url": "http://x/v1", "model": "m", "key_file": str(key)}
    settings = Settings.model_validate({"backends": {"strong": backend, "weak": backend}})
    key.chmod(0o640)
    assert suspicions(settings, None) == []
    key.chmod(0o644)
    assert (
        suspicions(settings, None)[0]
        == f"backends.strong.key_file: anybody on this machine may read {key}, which holds a secret: chmod o-r {key}"
    )
