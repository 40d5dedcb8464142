"""Calibration records: what turns a strong share into a threshold, for one checkpoint. A file of JSON each; numbers, never a prompt."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AwareDatetime, Field, StringConstraints, ValidationError, field_validator

from pointsman.runtime.errors import NotCalibrated
from pointsman.runtime.settings import Fraction, Part, StrategyName
from pointsman.runtime.settings_file import SettingsError

_MOST_BYTES: Final = 1 << 20
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class CalibratedShare(Part):
    """A strong share that was asked for and its threshold, with the 95 % bootstrap interval."""

    strong_share: Fraction
    threshold: Fraction
    threshold_low: Fraction
    threshold_high: Fraction


class CalibrationRecord(Part):
    """What a sample's win rates say of one checkpoint."""

    format: Literal[1] = 1
    strategy: StrategyName
    checkpoint: str
    """`name@sha256:12 hex digits`, or `none`."""
    embedder: str = ""
    data: str
    """What the sample was: a file's name."""
    data_sha256: Sha256
    """Over the prompts, whatever their order."""
    sample_size: Annotated[int, Field(ge=2)]
    created: AwareDatetime
    quantiles: Annotated[tuple[Fraction, ...], Field(min_length=2, max_length=10_001)]
    """Of the sample's win rates: evenly spaced from the lowest to the highest."""
    thresholds: tuple[CalibratedShare, ...] = ()

    @field_validator("quantiles")
    @classmethod
    def _sorted(cls, quantiles: tuple[float, ...]) -> tuple[float, ...]:
        if list(quantiles) != sorted(quantiles):
            raise ValueError("quantiles must not fall")
        return quantiles

    @property
    def name(self) -> str:
        """What its file is called, without the ending: the same checkpoint and data make the same."""
        return f"{self.strategy}-{self.checkpoint.rpartition(':')[2]}-{self.data_sha256[:12]}"

    def threshold(self, strong_share: float) -> float:
        """What so large a share of the sample reaches: its quantile, interpolated linearly as RouteLLM's calibrate_threshold.py does.

        A share of 1 is the threshold 0 and a share of 0 the threshold 1, whatever the sample.
        """
        if strong_share >= 1:
            return 0.0
        if strong_share <= 0:
            return 1.0
        place = (1 - strong_share) * (len(self.quantiles) - 1)
        below = min(int(place), len(self.quantiles) - 2)
        low, high = self.quantiles[below], self.quantiles[below + 1]
        return low + (high - low) * (place - below)


class Records:
    """Every record there is; of one checkpoint's, the newest counts."""

    def __init__(self, records: Iterable[CalibrationRecord] = ()) -> None:
        self._records = sorted(records, key=lambda record: record.created, reverse=True)

    @classmethod
    def load(cls, folders: Sequence[Path]) -> Self:
        """The records of those of the folders that are there. Raises `SettingsError` naming a file that isn't one."""
        return cls(read_record(file) for folder in folders for file in sorted(folder.glob("*.json")))

    def of(self, strategy: str, checkpoint: str, embedder: str = "") -> list[CalibrationRecord]:
        """The newest first. One made for another checkpoint or embedder (empty: not known) is none of them."""
        return [
            record
            for record in self._records
            if (record.strategy, record.checkpoint) == (strategy, checkpoint) and embedder in ("", record.embedder)
        ]

    def threshold(self, strategy: str, checkpoint: str, strong_share: float, embedder: str = "") -> float:
        """By the newest record of that checkpoint. Raises `NotCalibrated` where there is none."""
        if not (found := self.of(strategy, checkpoint, embedder)):
            others = sorted({record.checkpoint for record in self._records if record.strategy == strategy})
            raise NotCalibrated(
                f"The checkpoint {checkpoint} of {strategy} has no calibration record, so strong_share can't be turned into a threshold "
                f"({'records are there for ' + ', '.join(others) if others else 'nor has any other'}): pointsman calibrate makes one, or "
                f"name a threshold, such as router-{strategy}-0.5.",
                param="strong_share",
            )
        return found[0].threshold(strong_share)


def read_record(file: Path) -> CalibrationRecord:
    """Raises `SettingsError` naming the file and what is wrong with it."""
    try:
        data = file.read_bytes()
        if len(data) > _MOST_BYTES:
            raise SettingsError(f"{file}: too long for a calibration record")
        return CalibrationRecord.model_validate_json(data)
    except OSError as error:
        raise SettingsError(f"{file}: can't be read: {error.strerror}") from None
    except ValidationError as error:
        first: Any = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"{file}: not a calibration record: {where + ': ' if where else ''}{first['msg']}") from None


def write_record(folder: Path, record: CalibrationRecord) -> Path:
    """Writes it whole or not at all, and returns its file. Raises `OSError`."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{record.name}.json"
    part = file.with_suffix(".part")
    try:
        part.write_text(json.dumps(record.model_dump(mode="json"), separators=(",", ":")) + "\n", encoding="utf-8")
        os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)
    return file


def now() -> datetime:
    """To the second, in UTC."""
    return datetime.now(UTC).replace(microsecond=0)
