"""The preference format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scorers.errors import InvalidData
from scorers.offline.benchmarks import Outcome
from scorers.offline.preferences import Battle, battles_of, battles_sha256, load_battles

GOOD = {"prompt": "a secret", "model_a": "x", "model_b": "y", "winner": "x"}


def file_of(folder: Path, *rows: Any) -> Path:
    """The rows as JSON Lines; a text goes in as it is."""
    file = folder / "battles.jsonl"
    file.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), encoding="utf-8")
    return file


def test_each_line_is_a_battle(tmp_path: Path) -> None:
    """In order; blank lines and other keys don't matter."""
    file = file_of(tmp_path, GOOD, "", {**GOOD, "winner": "tie", "language": "English"})
    assert load_battles(file) == [Battle("a secret", "x", "y", "x"), Battle("a secret", "x", "y", "tie")]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{", "not JSON"),
        ([1], "an object is needed"),
        ({**GOOD, "prompt": None}, "prompt: a text is needed"),
        ({"prompt": "p", "model_a": "x", "model_b": "y"}, "winner: a text is needed"),
        ({**GOOD, "winner": "model_a"}, "winner: neither of the two models nor 'tie'"),
        ({**GOOD, "model_b": "x"}, "the same model"),
        ({**GOOD, "model_b": "tie"}, "no model can be named 'tie'"),
    ],
)
def test_a_wrong_line_is_named_and_no_prompt_is_quoted(tmp_path: Path, row: Any, said: str) -> None:
    """By its number, from 1."""
    with pytest.raises(InvalidData, match=rf"battles\.jsonl, line 2: .*{said}") as refused:
        load_battles(file_of(tmp_path, GOOD, row))
    assert "secret" not in refused.value.message


def test_a_file_that_is_not_there_empty_or_not_text_is_refused(tmp_path: Path) -> None:
    """In a sentence each."""
    with pytest.raises(InvalidData, match="can't be read: No such file"):
        load_battles(tmp_path / "none.jsonl")
    with pytest.raises(InvalidData, match="no battle is in it"):
        load_battles(file_of(tmp_path))
    (tmp_path / "latin.jsonl").write_bytes(b"\xe9\xff")
    with pytest.raises(InvalidData, match="not UTF-8"):
        load_battles(tmp_path / "latin.jsonl")


def test_benchmark_outcomes_are_battles_of_the_two_models() -> None:
    """Who alone was right has won."""
    outcomes = [Outcome("mmlu", "d", "p", strong, weak) for strong in (True, False) for weak in (True, False)]
    assert [battle.winner for battle in battles_of(outcomes)] == ["tie", "gpt-4-1106-preview", "mixtral-8x7b-instruct-v0.1", "tie"]


def test_the_hash_names_the_battles_and_not_their_order() -> None:
    """A battle less is other data."""
    battles = [Battle("p", "x", "y", winner) for winner in ("x", "y", "tie")]
    assert battles_sha256(battles) == battles_sha256(battles[::-1]) != battles_sha256(battles[1:])
