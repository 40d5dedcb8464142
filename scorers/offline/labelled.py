"""Labelled prompts: what each of two models made of them. A file of rows (`prompt, weak, strong`), or RouteLLM's files."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from scorers.errors import InvalidData
from scorers.offline.benchmarks import VALIDATION_SALT, VALIDATION_SHARE, benchmarks_folder, load_outcomes, split
from scorers.offline.mt_bench import load_mt_bench
from scorers.offline.rows import is_text, rows_of

_NEEDED: Final = ("prompt", "weak", "strong")
_WORDS: Final = {"true": 1.0, "false": 0.0}
_LARGEST: Final = 1e100
"""Of an outcome: beyond it sums over many rows would pass what a double holds."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """One prompt with both outcomes: right or wrong as 1 or 0, or any score where more is better."""

    prompt: str
    weak: float
    strong: float


def load_labelled(path: Path, *, validation_only: bool = False) -> Mapping[str, list[Labelled]]:
    """Rows by benchmark: a file is one, named by its stem; a folder of RouteLLM's layout is `mmlu`, `gsm8k` and, where it's there,
    `mt_bench`. Of MMLU and GSM8K `validation_only` leaves the rows that no strategy trains on.

    Raises `InvalidData` naming file, row (the first is 1) and field.
    """
    if is_folder(path):
        return _of_folder(path, validation_only=validation_only)
    if validation_only:
        raise InvalidData(f"{path}: only a folder of RouteLLM's benchmarks has a validation split.")
    return {path.stem: [_labelled(where, row) for where, row in rows_of(path, _NEEDED)]}


def is_folder(path: Path) -> bool:
    """Raises `InvalidData` where that can't be known."""
    try:
        return path.is_dir()
    except OSError as error:
        raise InvalidData(f"{path}: can't be read: {error.strerror}.") from None


def repeats(prompts: Iterable[str], outcomes: Iterable[object] | None = None) -> str:
    """A sentence about prompts that come more than once, and those of them whose outcomes differ; empty where none does."""
    first: dict[str, object] = {}
    rows = 0
    differing = set()
    for prompt, outcome in zip(prompts, outcomes, strict=True) if outcomes is not None else ((prompt, None) for prompt in prompts):
        if prompt in first:
            rows += 1
            if first[prompt] != outcome:
                differing.add(prompt)
        else:
            first[prompt] = outcome
    also = f", {len(differing):,} of the prompts with other outcomes" if differing else ""
    return f"{rows:,} {'row repeats' if rows == 1 else 'rows repeat'} an earlier row's prompt{also}; every row counts." if rows else ""


def _of_folder(path: Path, *, validation_only: bool) -> Mapping[str, list[Labelled]]:
    outcomes = load_outcomes(path)
    if validation_only:
        outcomes = split(outcomes, VALIDATION_SHARE, VALIDATION_SALT)[1]
    found: dict[str, list[Labelled]] = {}
    for outcome in outcomes:
        found.setdefault(outcome.benchmark, []).append(Labelled(outcome.prompt, outcome.weak_right, outcome.strong_right))
    if (questions := benchmarks_folder(path) / "mt_bench").is_dir():
        found["mt_bench"] = [Labelled(judged.prompt, judged.weak, judged.strong) for judged in load_mt_bench(questions)]
    return found


def _labelled(where: str, row: Mapping[str, Any]) -> Labelled:
    return Labelled(prompt_of(where, row), number_of(where, "weak", row.get("weak")), number_of(where, "strong", row.get("strong")))


def prompt_of(where: str, row: Mapping[str, Any]) -> str:
    """The row's prompt. Raises `InvalidData` where there is none."""
    prompt = row.get("prompt")
    if not isinstance(prompt, str) or not prompt.strip():
        raise InvalidData(f"{where}: prompt is empty or not text.")
    if "\0" in prompt:
        raise InvalidData(f"{where}: prompt has a NUL byte.")
    if not is_text(prompt):
        raise InvalidData(f"{where}: prompt isn't UTF-8.")
    return prompt


def number_of(where: str, name: str, value: Any) -> float:
    """An outcome. Raises `InvalidData` for anything but a finite number, true or false."""
    if value is None or value == "":
        raise InvalidData(f"{where}: {name} is missing.")
    text = str(value).strip().lower()
    try:
        # Python's own float takes 1_000, which is a slip anywhere else.
        number = _WORDS[text] if text in _WORDS else float(text.replace("_", "?"))
    except ValueError:
        number = math.nan
    if not abs(number) <= _LARGEST:
        raise InvalidData(f"{where}: {name} is {text[:40]!r}; a number, true or false is needed.")
    return number
