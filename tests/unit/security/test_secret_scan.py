"""The secret scan fails on what is new, and on nothing else."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.security.secret_scan import BASELINE, main

# Put together here, so that this file itself holds none.
_KEY = "AKIA" + "IOSFODNN7EXAMPLF"
_ASSIGNED = "pass" + 'word = "hunter2-but-longer"\n'


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """With one file that holds no secret."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "code.py").write_text("answer = 42\n")
    (tmp_path / BASELINE).write_text("{}\n")
    return tmp_path


@pytest.mark.parametrize("planted", [f"aws = '{_KEY}'\n", _ASSIGNED, "-----BEGIN " + "PRIVATE KEY-----\n"])
def test_a_planted_key_is_found_and_not_repeated(repository: Path, capsys: pytest.CaptureFixture[str], planted: str) -> None:
    """In a file that git doesn't know yet, too; the report has its place and no part of it."""
    assert main([], repository) == 0
    (repository / "new.py").write_text("\n\n" + planted)
    assert main([], repository) == 1
    said = "".join(capsys.readouterr())
    assert "new.py:3 " in said
    assert _KEY not in said
    assert "hunter2" not in said


def test_what_was_accepted_may_move_and_nothing_may_join_it(repository: Path) -> None:
    """The baseline knows hashes, not lines."""
    (repository / "code.py").write_text(_ASSIGNED)
    assert main(["--accept"], repository) == 0
    assert "hunter2" not in (repository / BASELINE).read_text()
    (repository / "code.py").write_text("moved = 1\n" + _ASSIGNED)
    assert main([], repository) == 0
    (repository / "code.py").write_text(_ASSIGNED + f"aws = '{_KEY}'\n")
    assert main([], repository) == 1


def test_what_git_ignores_is_not_looked_at(repository: Path) -> None:
    """Keys lie there by right."""
    (repository / ".gitignore").write_text("mine.py\n")
    (repository / "mine.py").write_text(_ASSIGNED)
    assert main([], repository) == 0
