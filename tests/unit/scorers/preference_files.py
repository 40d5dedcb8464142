"""Files of preferences, written for tests: on `hard` prompts the strong model wins, on `odd` ones the weak, on `easy` ones nobody."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from scorers.router import ModelPair

MY_PAIR = ModelPair("ours-large", "ours-small")
_WINNER = {"hard": MY_PAIR.strong, "easy": "tie", "odd": MY_PAIR.weak}
OTHERS = 5


def preferences(count: int = 240) -> list[dict[str, str]]:
    """So many battles of the pair, in either order, and a few between other models."""
    rows = []
    for i in range(count):
        kind = ("hard", "easy", "odd", "hard")[i % 4]
        sides = (MY_PAIR.strong, MY_PAIR.weak) if i % 3 else (MY_PAIR.weak, MY_PAIR.strong)
        rows.append({"prompt": f"{kind} question number {i}", "model_a": sides[0], "model_b": sides[1], "winner": _WINNER[kind]})
    others = {"model_a": MY_PAIR.strong, "model_b": "theirs", "winner": "theirs"}
    return [*rows, *({"prompt": f"another question, number {i}", **others} for i in range(OTHERS))]


def as_jsonl(file: Path, rows: list[dict[str, str]]) -> Path:
    """The rows, a line each."""
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def as_parquet(file: Path, rows: list[dict[str, str]]) -> Path:
    """The rows, with a column that nobody asked for."""
    pq.write_table(pa.Table.from_pylist([{**row, "extra": 1} for row in rows]), file)
    return file
