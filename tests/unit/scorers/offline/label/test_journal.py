"""The journal: what a run that was cut off finds again."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from scorers.errors import InvalidData
from scorers.offline.label.journal import Journal
from tests.unit.scorers.offline.label.jobs import entry, job


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A journal with an answer, one that can't be used, and two verdicts."""
    file = tmp_path / "out.jsonl.work"
    with Journal(file, job()) as journal:
        for each in (entry(3, "weak", "an\nanswer"), entry(3, "strong", None), entry(3, "judge_weak", 7.5), entry(8, "judge_weak", None)):
            journal.add(each)
    return file


def test_what_was_answered_is_there_again(file: Path) -> None:
    """As it was; what can't be used isn't, but was paid."""
    with Journal(file, job()) as journal:
        assert {key: found.value for key, found in journal.done.items()} == {(3, "weak"): "an\nanswer", (3, "judge_weak"): 7.5}
        assert {who: tally.calls for who, tally in journal.tallies.items()} == {"weak": 1, "strong": 1, "judge": 2}
        assert journal.tallies["judge"].money == {"USD": 1.0}


def test_a_limit_counts_earlier_runs_at_their_dearest_where_nobody_knows(tmp_path: Path) -> None:
    """A backend that counts no tokens."""
    with Journal(tmp_path / "work", job()) as journal:
        journal.add(entry(3, "weak", "x", cost=0.25))
        journal.add(entry(3, "strong", "x", cost=None))
    with Journal(tmp_path / "work", job()) as journal:
        assert journal.charged == 0.25 + 0.75


def test_a_verdict_stays_a_letter_and_a_digit_of_an_answer_text(tmp_path: Path) -> None:
    """An answer may be `7`."""
    for value in ("A", "7", "", 7.0):
        with Journal(tmp_path / "work", job()) as journal:
            journal.add(entry(3, "weak", value))
        with Journal(tmp_path / "work", job()) as journal:
            found = journal.done[3, "weak"].value
            assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("torn", [b'{"row": 3, "st', b"\0\0\0\0", b"{"])
def test_a_torn_last_line_is_dropped(file: Path, torn: bytes) -> None:
    """And what comes after it is whole."""
    with file.open("ab") as lines:
        lines.write(torn)
    with Journal(file, job()) as journal:
        journal.add(entry(8, "weak", "more"))
    with Journal(file, job()) as journal:
        assert len(journal.done) == 3
    assert torn not in file.read_bytes().splitlines()


def test_a_torn_first_line_is_a_beginning(tmp_path: Path) -> None:
    """Nothing was asked then."""
    (tmp_path / "work").write_bytes(b'{"format": 1, "prom')
    with Journal(tmp_path / "work", job()) as journal:
        journal.add(entry(3, "weak", "x"))
    with Journal(tmp_path / "work", job()) as journal:
        assert list(journal.done) == [(3, "weak")]


def test_a_damaged_line_is_refused_by_its_number(file: Path) -> None:
    """Whatever was paid for there is lost, so nobody goes on unasked."""
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([*lines[:2], b"?\n", *lines[3:]]))
    with pytest.raises(InvalidData, match="line 3: no journal"):
        Journal(file, job())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rows": {3: "first", 9: "second"}}, "other prompts"),
        ({"rows": {3: "first", 8: "other"}}, "other prompts"),
        ({"mode": "pair"}, "mode 'single', not 'pair'"),
        ({"pair": "mine"}, "pair 'default', not 'mine'"),
        ({"models": {"weak": "new", "strong": "big", "judge": "other"}}, "weak model 'small', not 'new'"),
        ({"models": {"weak": "small", "strong": "big", "judge": "new"}}, "judge model 'other', not 'new'"),
        ({"temperature": 0.5}, "temperature None, not 0.5"),
    ],
)
def test_another_run_is_refused(file: Path, change: dict[str, Any], said: str) -> None:
    """And the journal stays as it is."""
    before = file.read_bytes()
    with pytest.raises(InvalidData, match=said):
        Journal(file, job(**change))
    assert file.read_bytes() == before


def test_one_process_at_a_time(file: Path) -> None:
    """The other is told."""
    with Journal(file, job()), pytest.raises(InvalidData, match="another run is writing it"):
        Journal(file, job())


def test_a_journal_without_an_answer_leaves_no_file(tmp_path: Path) -> None:
    """Nothing was paid."""
    with Journal(tmp_path / "work", job()):
        pass
    assert not list(tmp_path.iterdir())


def test_only_its_owner_reads_it(file: Path) -> None:
    """Answers may be as private as prompts."""
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_after_a_failed_write_it_takes_no_more(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line after a torn one would make the file a damaged one."""

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with Journal(file, job()) as journal:
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            journal.add(entry(8, "weak", "x"))
        monkeypatch.undo()
        with pytest.raises(OSError, match="an earlier line"):
            journal.add(entry(8, "strong", "x"))
        assert (8, "weak") not in journal.done
