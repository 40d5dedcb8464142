"""What a pair's strategies are trained on, split: RouteLLM's benchmark files, or preferences of any origin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from scorers.errors import InvalidData
from scorers.offline.benchmarks import PAIR, VALIDATION_SALT, VALIDATION_SHARE, Outcome, data_sha256, load_outcomes, split
from scorers.offline.preferences import load_battles, outcomes_of
from scorers.router import ModelPair

FEWEST: Final = 49  # rows; seven folds need them


@dataclass(frozen=True, slots=True)
class TrainingData:
    """`training` and `validation` share no prompt; the latter is never trained on."""

    training: list[Outcome]
    validation: list[Outcome]
    pair: ModelPair
    sha256: str
    """Over both."""
    benchmarks: bool
    """Whether it's of RouteLLM's benchmark files: exam questions with domains."""
    others: int
    """Battles in the file that aren't between the pair, and so aren't used."""

    @property
    def outcomes(self) -> list[Outcome]:
        """All of them, the training rows first."""
        return [*self.training, *self.validation]

    def rows(self) -> dict[str, int]:
        """How many there are of what, for figures.json."""
        return {
            "all": len(self.training) + len(self.validation),
            "training": len(self.training),
            "validation": len(self.validation),
            "other_pairs": self.others,
            **outcome_counts(self.outcomes),
        }


def load_training_data(path: Path, pair: ModelPair = PAIR, *, fewest: int = FEWEST) -> TrainingData:
    """A folder of RouteLLM's benchmark files, whose pair is its own, or a file of preferences. Raises `InvalidData`."""
    if path.is_dir():
        if pair != PAIR:
            raise InvalidData(
                f"{path}: RouteLLM's benchmark files are of {PAIR.strong} and {PAIR.weak}; --strong and --weak are for files."
            )
        outcomes, others = load_outcomes(path), 0
    else:
        battles = load_battles(path)
        outcomes = outcomes_of(battles, pair)
        others = len(battles) - len(outcomes)
        if not outcomes:
            raise InvalidData(f"{path}: no battle between {pair.strong} and {pair.weak} is in it; name the pair with --strong and --weak.")
    training, validation = split(outcomes, VALIDATION_SHARE, VALIDATION_SALT)
    if len(training) < fewest or not validation:
        raise InvalidData(f"{path}: {len(outcomes)} rows are too few to train on; {fewest} are needed, beside those that are held out.")
    if len({o.preference for o in training}) < 2:
        raise InvalidData(f"{path}: every battle ends the same way, so there is nothing to learn.")
    return TrainingData(training, validation, pair, data_sha256(outcomes), path.is_dir(), others)


def outcome_counts(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Domains, wins and ties."""
    return {
        "mmlu_domains": len({o.domain for o in outcomes if o.benchmark == "mmlu"}),
        "strong_wins": sum(o.preference == 1 for o in outcomes),
        "ties": sum(o.preference == 0.5 for o in outcomes),
        "weak_wins": sum(o.preference == 0 for o in outcomes),
    }
