"""MT Bench as RouteLLM keeps it: 80 questions of two turns and GPT-4's score of each model's answers. For evaluation alone.

Layout, as in RouteLLM's `routellm/evals/mt_bench`: `question.jsonl`, `judgements.jsonl` and `contaminated_prompts.jsonl`; a question
one of whose turns is among the latter is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from scorers.errors import InvalidData
from scorers.offline.rows import is_text, json_rows

_STRONG: Final = "gpt-4-1106-preview"
_TURNS: Final = 2
_LEAST, _MOST = 0, 10  # GPT-4's scale begins at 1; some judges give 0


@dataclass(frozen=True, slots=True)
class Judged:
    """The first turn, on which a question is routed, and each model's mean score over both turns, from 1 to 10."""

    prompt: str
    strong: float
    weak: float


def load_mt_bench(folder: Path) -> list[Judged]:
    """The decontaminated questions in order. Raises `InvalidData`."""
    contaminated = {str(row["eval_prompt"]).strip() for row in _rows(folder / "contaminated_prompts.jsonl", "eval_prompt")}
    scores = _scores(folder / "judgements.jsonl")
    judged = []
    for number, row in enumerate(_rows(folder / "question.jsonl", "question_id", "turns"), 1):
        turns = row["turns"]
        if not isinstance(turns, list) or len(turns) != _TURNS or not all(is_text(turn) and turn.strip() for turn in turns):
            raise InvalidData(f"{folder / 'question.jsonl'}: row {number}: turns must be {_TURNS} texts.")
        if contaminated.isdisjoint(turn.strip() for turn in turns):
            strong, weak = (scores.get((row["question_id"], is_strong), []) for is_strong in (True, False))
            if len(strong) != _TURNS or len(weak) != _TURNS:
                raise InvalidData(f"{folder / 'judgements.jsonl'}: question {row['question_id']} hasn't {_TURNS} scores of each model.")
            judged.append(Judged(turns[0], sum(strong) / _TURNS, sum(weak) / _TURNS))
    return judged


def _scores(file: Path) -> Mapping[tuple[int, bool], list[float]]:
    """By question and whether it's the strong model."""
    scores: dict[tuple[int, bool], list[float]] = {}
    for number, row in enumerate(_rows(file, "question_id", "model", "score", "turn"), 1):
        score = row["score"]
        if not isinstance(row["question_id"], int) or not isinstance(score, int | float) or not _LEAST <= score <= _MOST:
            raise InvalidData(f"{file}: row {number}: a question's number and a score from {_LEAST} to {_MOST} are needed.")
        scores.setdefault((row["question_id"], row["model"] == _STRONG), []).append(float(score))
    return scores


def _rows(file: Path, *fields: str) -> list[Mapping[str, Any]]:
    try:
        rows = list(json_rows(file))
    except OSError as error:
        raise InvalidData(f"{file}: can't be read: {error.strerror}.") from None
    for number, row in enumerate(rows, 1):
        if not row.keys() >= set(fields):
            raise InvalidData(f"{file}: row {number}: needs {', '.join(fields)}.")
    return rows
