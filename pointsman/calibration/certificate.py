"""The certificate: a threshold, and what it promises of the quality lost against always-strong."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, Field, StringConstraints

from pointsman.calibration.record import Sample
from pointsman.runtime.settings_part import Fraction, Name, Part

Text = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Loss = Annotated[float, Field(ge=-1, le=1)]
Confidence = Annotated[float, Field(gt=0, lt=1)]


class CertifiedSlice(Part):
    """One part of the sample, such as a tenant's: the threshold that it would allow by itself, and what that would do."""

    name: Text
    sample_size: Annotated[int, Field(ge=1)]
    threshold: Fraction
    weak_share: Fraction
    loss: Loss
    bound: Fraction


class Certificate(Sample):
    """With confidence 1 - `delta` the expected quality that is lost by `threshold`, against always-strong, is at most `max_quality_loss`.

    It holds for prompts that are exchangeable with the labelled ones, as `judge` saw the two models' answers, until `expires`. With
    slices it holds in every one of them at once.
    """

    pair: Name
    strong_model: Text
    weak_model: Text
    judge: Text
    """Who said what an answer is worth."""
    max_quality_loss: Fraction
    delta: Confidence
    threshold: Fraction
    weak_share: Fraction
    """The part of the sample that goes to weak: the strong calls that are saved."""
    loss: Loss
    """The sample's mean, a point estimate."""
    bound: Fraction
    """What this threshold by itself would still pass, at the same confidence: at most `max_quality_loss`."""
    slices: tuple[CertifiedSlice, ...] = ()
    grid: Text
    """Which win rates the thresholds that were tried came from."""
    expires: AwareDatetime

    @property
    def name(self) -> str:
        """What its file is called, without the ending: the same checkpoint, pair, data and promise make the same."""
        loss = f"{self.max_quality_loss:g}-{self.delta:g}"
        return f"{self.strategy}-{self.checkpoint.rpartition(':')[2]}-{self.pair}-{loss}-{self.data_sha256[:12]}"

    def holds_for(self, pair: str, models: tuple[str, str], at: datetime) -> bool:
        """Whether it's of that pair, of these models (strong, weak) and not expired."""
        return (self.pair, self.strong_model, self.weak_model) == (pair, *models) and at < self.expires
