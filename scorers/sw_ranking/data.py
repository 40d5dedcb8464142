"""What a table is built from, and what's held out of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scorers.errors import InvalidData
from scorers.offline.benchmarks import VALIDATION_SALT, VALIDATION_SHARE, Outcome, data_sha256, load_outcomes, prompt_fraction, split
from scorers.offline.preferences import Battle, battles_of, battles_sha256, load_battles
from scorers.router import ModelPair

SHORTEST: Final = 16  # characters; upstream leaves shorter prompts out of its arena table
_FEWEST: Final = 49  # benchmark rows; seven folds need them


@dataclass(frozen=True, slots=True)
class PreferenceData:
    """Battles before the split: those of the table, then those held out; `outcomes` are the former's, of benchmark files."""

    table: list[Battle]
    validation: list[Battle]
    outcomes: list[Outcome] | None
    sha256: str


def load_data(data: Path, pair: ModelPair) -> PreferenceData:
    """Benchmark files (a folder) or battles (JSON Lines or Parquet), split. Raises `InvalidData`, also where the pair isn't in it."""
    if data.is_dir():
        outcomes = load_outcomes(data)
        training, validation = split(outcomes, VALIDATION_SHARE, VALIDATION_SALT)
        if len(training) < _FEWEST or not validation:
            raise InvalidData(f"{data}: {len(outcomes)} rows are too few for a table.")
        return PreferenceData(battles_of(training), battles_of(validation), training, data_sha256(outcomes))
    battles = [battle for battle in load_battles(data) if len(battle.prompt.strip()) >= SHORTEST]
    named = {name for battle in battles for name in (battle.model_a, battle.model_b)}
    if absent := [name for name in (pair.strong, pair.weak) if name not in named]:
        raise InvalidData(f"{data}: no battle of {' or '.join(absent)} is in it; name the pair with --strong and --weak.")
    is_held_out = [prompt_fraction(battle.prompt, VALIDATION_SALT) < VALIDATION_SHARE for battle in battles]
    return PreferenceData(
        [battle for battle, held in zip(battles, is_held_out, strict=True) if not held],
        [battle for battle, held in zip(battles, is_held_out, strict=True) if held],
        None,
        battles_sha256(battles),
    )
