"""What is to be labelled, and by whom: all that has to stay the same for a run that was cut off to go on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from pointsman.runtime.settings_part import Part
from scorers.offline.label.judge import STAGES, Mode, instructions_sha256

Payer = Literal["weak", "strong", "judge"]
PAYERS: Final[tuple[Payer, ...]] = ("weak", "strong", "judge")
LengthName = Literal["max_tokens", "max_completion_tokens"]
"""What a backend calls the longest answer; some refuse the one, some don't know the other."""
ANSWERS: Final = ("weak", "strong")
"""The two stages before the judge's, named by the tier that answers."""


class Identity(Part):
    """What a journal was begun with; one that differs in anything is another run's."""

    format: Literal[1] = 1
    prompts_sha256: str
    """Over the prompts and their row numbers."""
    mode: Mode
    pair: str
    weak_model: str
    strong_model: str
    judge: str
    judge_model: str
    judge_instructions_sha256: str
    max_tokens: int
    judge_max_tokens: int
    temperature: float | None
    judge_temperature: float | None


@dataclass(frozen=True, slots=True)
class Job:
    """One labelling. `rows` are prompts by their row number in the data, from 1; the pairs' names and models are the service's."""

    rows: Mapping[int, str]
    mode: Mode
    pair: str
    judge: str
    models: Mapping[Payer, str]
    max_tokens: int
    judge_max_tokens: int
    temperature: float | None = None
    """None: the backend's own."""
    judge_temperature: float | None = 0.0
    length_as: LengthName = "max_tokens"

    @property
    def stages(self) -> tuple[str, ...]:
        """A row's calls, in their order."""
        return (*ANSWERS, *STAGES[self.mode])

    @property
    def identity(self) -> Identity:
        """For the journal."""
        return Identity(
            prompts_sha256=hashlib.sha256(json.dumps(sorted(self.rows.items())).encode()).hexdigest(),
            mode=self.mode,
            pair=self.pair,
            weak_model=self.models["weak"],
            strong_model=self.models["strong"],
            judge=self.judge,
            judge_model=self.models["judge"],
            judge_instructions_sha256=instructions_sha256(self.mode),
            max_tokens=self.max_tokens,
            judge_max_tokens=self.judge_max_tokens,
            temperature=self.temperature,
            judge_temperature=self.judge_temperature,
        )

    def longest(self, who: Payer) -> int:
        """Tokens that a call may write."""
        return self.judge_max_tokens if who == "judge" else self.max_tokens


def payer(stage: str) -> Payer:
    """Whose backend a stage calls."""
    return "weak" if stage == "weak" else "strong" if stage == "strong" else "judge"
