"""How a training command ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from scorers.checkpoint import CheckpointConfig, write_checkpoint
from scorers.errors import InvalidData
from scorers.offline.training import Report, TrainReport, run_training


def test_what_cant_be_written_is_a_sentence_with_the_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, and no traceback."""
    (tmp_path / "taken").write_text("a file")
    out = tmp_path / "taken/out"

    config = {"strategy": "any", "name": "any", "strong": "a", "weak": "b", "data_sha256": "0" * 64, "seed": 0, "created": "today"}

    def train(report: Report) -> TrainReport:
        write_checkpoint(out, CheckpointConfig, config, {}, {}, "card")
        raise AssertionError

    assert run_training(train, as_json=True) == 2
    printed = capsys.readouterr()
    assert printed.err.strip() == f"{out}: can't be written: Not a directory."
    assert printed.out == ""


def test_a_sentence_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Brackets are no markup."""

    def train(report: Report) -> TrainReport:
        raise InvalidData("sample[1].jsonl: line 2: not an object.")

    assert run_training(train, as_json=False) == 2
    assert capsys.readouterr().err.strip() == "sample[1].jsonl: line 2: not an object."
