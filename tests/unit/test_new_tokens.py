"""Tokens of a fresh installation."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from pointsman.runtime.new_tokens import main
from pointsman.runtime.tokens import Tokens


def test_each_file_gets_a_token_of_its_own_once(tmp_path: Path) -> None:
    """Which services take; one that is there stays."""
    files = [tmp_path / "controller", tmp_path / "ray"]
    assert main([str(file) for file in files]) == 0
    tokens = [file.read_text() for file in files]
    assert tokens[0] != tokens[1]
    assert main([str(file) for file in files]) == 0
    assert [file.read_text() for file in files] == tokens
    assert Tokens("controller.token", None, files[0]).now() == (tokens[0].strip(),)
    assert {stat.S_IMODE(file.stat().st_mode) & 0o337 for file in files} == {0}
    assert sorted(tmp_path.iterdir()) == files


def test_where_nothing_can_be_written_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a traceback."""
    assert main([str(tmp_path / "gone" / "token")]) == 1
    assert "gone/token can't be written: No such file or directory" in capsys.readouterr().err
