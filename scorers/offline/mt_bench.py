"""MT Bench as RouteLLM keeps it: 80 questions of two turns and GPT-4's score of each model's answers. For evaluation alone.

Layout, as in RouteLLM's `routellm/evals/mt_bench`: `question.jsonl`, `judgements.jsonl` and `contaminated_prompts.jsonl`; a question
one of whose turns is among the latter is left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from scorers.errors import InvalidData

_STRONG: Final = "gpt-4-1106-preview"
_TURNS: Final = 2


@dataclass(frozen=True, slots=True)
class Judged:
    """The first turn, on which a question is routed, and each model's mean score over both turns, from 1 to 10."""

    prompt: str
    strong: float
    weak: float


def load_mt_bench(folder: Path) -> list[Judged]:
    """The decontaminated questions in order. Raises `InvalidData`."""
    contaminated = {row["eval_prompt"].strip() for row in _rows(folder / "contaminated_prompts.jsonl", "eval_prompt")}
    scores = _scores(folder / "judgements.jsonl")
    judged = []
    for row in _rows(folder / "question.jsonl", "question_id", "turns"):
        if contaminated.isdisjoint(turn.strip() for turn in row["turns"]):
            strong, weak = (scores.get((row["question_id"], is_strong), []) for is_strong in (True, False))
            if len(strong) != _TURNS or len(weak) != _TURNS:
                raise InvalidData(f"{folder / 'judgements.jsonl'}: question {row['question_id']} hasn't {_TURNS} scores of each model.")
            judged.append(Judged(row["turns"][0], sum(strong) / _TURNS, sum(weak) / _TURNS))
    return judged


def _scores(file: Path) -> Mapping[tuple[int, bool], list[float]]:
    """By question and whether it's the strong model."""
    scores: dict[tuple[int, bool], list[float]] = {}
    for row in _rows(file, "question_id", "model", "score", "turn"):
        scores.setdefault((row["question_id"], row["model"] == _STRONG), []).append(float(row["score"]))
    return scores


def _rows(file: Path, *fields: str) -> list[dict[str, Any]]:
    try:
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except OSError as error:
        raise InvalidData(f"{file}: can't be read: {error.strerror}.") from None
    except ValueError as error:
        raise InvalidData(f"{file}: not JSON Lines: {error}.") from None
    if not all(isinstance(row, dict) and row.keys() >= set(fields) for row in rows):
        raise InvalidData(f"{file}: each line needs {', '.join(fields)}.")
    return rows
