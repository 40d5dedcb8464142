"""The calibration record: what turns a strong share into a threshold, for one checkpoint. Numbers, never a prompt."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, Field, StringConstraints, field_validator

from pointsman.calibration.quantiles import quantile, rank
from pointsman.runtime.settings_part import Fraction, Part

DIGITS: Final = 9  # sw_ranking's win rates may lie within 0.02 of each other
Strategies = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\+[a-z][a-z0-9_]*)*$", max_length=324)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Sample(Part):
    """What every record says of the sample it was made from, and of who scored it."""

    format: Literal[1] = 1
    strategy: Strategies
    """Several for the mean of their ranks."""
    checkpoint: str
    """`name@sha256:12 hex digits`, or `none`; of several strategies the names of the records that their ranks are by."""
    embedder: str = ""
    data: str
    """What the sample was: a file's name."""
    data_sha256: Sha256
    """Over the prompts, whatever their order."""
    sample_size: Annotated[int, Field(ge=2)]
    created: AwareDatetime
    quantiles: Annotated[tuple[Fraction, ...], Field(min_length=2, max_length=10_001)]
    """Of the sample's win rates: evenly spaced from the lowest to the highest."""

    @field_validator("quantiles")
    @classmethod
    def _sorted(cls, quantiles: tuple[float, ...]) -> tuple[float, ...]:
        if list(quantiles) != sorted(quantiles):
            raise ValueError("quantiles must not fall")
        return quantiles

    def is_of(self, strategy: str, checkpoint: str, embedder: str) -> bool:
        """Whether it was made for that checkpoint and embedder (empty: not known, so not looked at)."""
        return (self.strategy, self.checkpoint) == (strategy, checkpoint) and embedder in ("", self.embedder)


class CalibratedShare(Part):
    """A strong share that was asked for and its threshold, with the 95 % bootstrap interval."""

    strong_share: Fraction
    threshold: Fraction
    threshold_low: Fraction
    threshold_high: Fraction


class CalibrationRecord(Sample):
    """What a sample's win rates say of one checkpoint."""

    thresholds: tuple[CalibratedShare, ...] = ()

    @property
    def name(self) -> str:
        """What its file is called, without the ending: the same checkpoint and data make the same."""
        of_several = "+" in self.strategy
        checkpoint = hashlib.sha256(self.checkpoint.encode()).hexdigest()[:12] if of_several else self.checkpoint.rpartition(":")[2]
        return f"{self.strategy}-{checkpoint}-{self.data_sha256[:12]}"

    def threshold(self, strong_share: float) -> float:
        """What so large a share of the sample reaches: its quantile, interpolated linearly as RouteLLM's calibrate_threshold.py does.

        A share of 1 is the threshold 0 and a share of 0 the threshold 1, whatever the sample.
        """
        if strong_share >= 1:
            return 0.0
        return 1.0 if strong_share <= 0 else quantile(self.quantiles, 1 - strong_share)

    def rank(self, strong_win_rate: float) -> float:
        """The share of the sample that is below, 0 to 1: comparable between strategies, as win rates aren't."""
        # Rounded as the quantiles are, or a value that many of the sample have would miss itself.
        return rank(self.quantiles, round(strong_win_rate, DIGITS))


def now() -> datetime:
    """To the second, in UTC."""
    return datetime.now(UTC).replace(microsecond=0)
