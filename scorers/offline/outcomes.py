"""Labelled prompts as a certificate needs them: outcomes from 0 to 1, each prompt once, and slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pointsman.calibration.making import Data, prompts_sha256
from scorers.errors import InvalidData
from scorers.offline.labelled import load_labelled
from scorers.offline.rows import rows_of

_ROUTELLM: Final = ("mmlu", "gsm8k")


@dataclass(frozen=True, slots=True)
class Sample:
    """Labelled prompts; `outcomes` are (strong, weak) in [0, 1], `slices` as many names or none."""

    data: Data
    prompts: list[str]
    outcomes: list[tuple[float, float]]
    slices: list[str]


def load_sample(path: Path, slices: str | None, scale: tuple[float, float], *, keep_duplicates: bool = False) -> Sample:
    """A file's rows; of a folder of RouteLLM's benchmark files the validation split of MMLU and GSM8K, which nothing is trained on.

    `slices` names a column, of a folder `benchmark`; `scale` is what counts as 0 and as 1. Raises `InvalidData` naming the row.
    """
    found = load_labelled(path, validation_only=path.is_dir())
    chosen = {name: rows for name, rows in found.items() if not path.is_dir() or name in _ROUTELLM}
    prompts = [row.prompt for rows in chosen.values() for row in rows]
    outcomes = [(row.strong, row.weak) for rows in chosen.values() for row in rows]
    if slices and path.is_dir() and slices != "benchmark":
        raise InvalidData(f"--slices: of RouteLLM's benchmark files only benchmark is a column, not {slices!r}.")
    if path.is_dir():
        names = [name for name, rows in chosen.items() for _ in rows] if slices else []
    else:
        names = [str(row.get(slices, "")).strip() for _, row in rows_of(path, [slices])] if slices else []
    for number, name in enumerate(names, 1):
        if not name:
            raise InvalidData(f"{path}: row {number}: {slices} is empty.")
    if not keep_duplicates and not path.is_dir():
        _refuse_duplicates(path, prompts)
    scaled = [(_scaled(path, row, strong, scale), _scaled(path, row, weak, scale)) for row, (strong, weak) in enumerate(outcomes, 1)]
    return Sample(Data(path.name, prompts_sha256(prompts)), prompts, scaled, names)


def _refuse_duplicates(path: Path, prompts: Sequence[str]) -> None:
    first: dict[str, int] = {}
    for number, prompt in enumerate(prompts, 1):
        if (before := first.setdefault(prompt, number)) != number:
            raise InvalidData(
                f"{path}: row {number}: the same prompt as in row {before}. The bound needs independent prompts; --keep-duplicates says "
                "that they were drawn so, from traffic which repeats itself."
            )


def _scaled(path: Path, row: int, outcome: float, scale: tuple[float, float]) -> float:
    low, high = scale
    value = (outcome - low) / (high - low)
    if not 0 <= value <= 1:
        raise InvalidData(
            f"{path}: row {row}: the outcome {outcome:g} isn't {low:g} to {high:g}; --scale LOW HIGH says what they range over."
        )
    return value
