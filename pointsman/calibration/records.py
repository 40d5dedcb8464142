"""Every record there is, and which of them counts for a checkpoint."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Self

from pointsman.calibration.certificate import Certificate
from pointsman.calibration.files import Record, read_record, record_files
from pointsman.calibration.record import CalibrationRecord
from pointsman.runtime.errors import NotCalibrated, NotCertified


class Records:
    """Of one checkpoint's records the newest counts; of its certificates the one that may lose the most, within what was asked."""

    def __init__(self, records: Iterable[Record] = ()) -> None:
        newest_first = sorted(records, key=lambda record: record.created, reverse=True)
        self._records = [record for record in newest_first if isinstance(record, CalibrationRecord)]
        self._certificates = [record for record in newest_first if isinstance(record, Certificate)]

    @classmethod
    def load(cls, folders: Sequence[Path]) -> Self:
        """The records of those of the folders that are there. Raises `SettingsError` naming a file that isn't one."""
        return cls(read_record(file) for folder in folders for file in record_files(folder))

    @property
    def certificates(self) -> Sequence[Certificate]:
        """All of them, the newest first, expired ones too."""
        return self._certificates

    @property
    def ensembles(self) -> Sequence[str]:
        """The names, joined by `+`, of all several strategies that have a record together; whether it counts is another question."""
        return sorted({record.strategy for record in self._records if "+" in record.strategy})

    def of(self, strategy: str, checkpoint: str, embedder: str = "") -> list[CalibrationRecord]:
        """The newest first. One made for another checkpoint or embedder (empty: not known) is none of them."""
        return [record for record in self._records if record.is_of(strategy, checkpoint, embedder)]

    def certificates_of(self, strategy: str, checkpoint: str, embedder: str = "") -> list[Certificate]:
        """The newest first, expired ones too."""
        return [each for each in self._certificates if each.is_of(strategy, checkpoint, embedder)]

    def calibration(self, strategy: str, checkpoint: str, embedder: str = "") -> CalibrationRecord:
        """The newest record of that checkpoint. Raises `NotCalibrated` where there is none."""
        if found := self.of(strategy, checkpoint, embedder):
            return found[0]
        raise NotCalibrated(
            f"{self._lacks(strategy, checkpoint)}, so strong_share can't be turned into a threshold: pointsman calibrate makes one, or "
            f"name a threshold, such as router-{strategy}-0.5.",
            param="strong_share",
        )

    def ensemble(self, strategy: str, checkpoint: str) -> CalibrationRecord:
        """The newest record of several strategies' mean rank, by `ensemble_of` the records that count. Raises `NotCalibrated`."""
        if found := self.of(strategy, checkpoint):
            return found[0]
        raise NotCalibrated(
            f"{strategy} has no calibration record by those that its strategies have now, so strong_share can't be turned into a "
            f"threshold: pointsman calibrate --strategies {strategy} makes one, or name a threshold, such as router-{strategy}-0.5.",
            param="strong_share",
        )

    def ranking(self, strategy: str, checkpoint: str, embedder: str = "") -> CalibrationRecord:
        """The same, for its ranks."""
        if found := self.of(strategy, checkpoint, embedder):
            return found[0]
        raise NotCalibrated(
            f"{self._lacks(strategy, checkpoint)}, so its rank among other strategies isn't known: pointsman calibrate makes one, or name "
            "one strategy.",
            param="strategies",
        )

    def _lacks(self, strategy: str, checkpoint: str) -> str:
        others = sorted({record.checkpoint for record in self._records if record.strategy == strategy})
        there = f"records are there for {', '.join(others)}" if others else "nor has any other"
        return f"The checkpoint {checkpoint} of {strategy} has no calibration record ({there})"

    def certificate(
        self, strategy: str, checkpoint: str, embedder: str, pair: str, models: tuple[str, str], max_quality_loss: float, at: datetime
    ) -> Certificate:
        """The valid one with the largest loss up to `max_quality_loss` for that checkpoint, pair and models (strong, weak).

        Raises `NotCertified` saying why there is none.
        """
        of_pair = [each for each in self.certificates_of(strategy, checkpoint, embedder) if each.pair == pair]
        valid = [each for each in of_pair if each.holds_for(pair, models, at)]
        if fitting := [each for each in valid if each.max_quality_loss <= max_quality_loss]:
            return max(fitting, key=lambda each: (each.max_quality_loss, each.created))
        if valid:
            least = min(each.max_quality_loss for each in valid)
            why = f"the least that it is certified for is {least:g}"
        elif any(each.expires <= at for each in of_pair):
            why = "its certificates have expired"
        elif of_pair:
            why = "its certificates are of other models than the pair has now"
        else:
            why = "it has none"
        raise NotCertified(
            f"No certificate of {strategy}'s checkpoint {checkpoint} for the pair {pair} bounds the quality lost at {max_quality_loss:g}: "
            f"{why}. pointsman certify makes one from labelled prompts; or name a strong share, such as router-{strategy}-30pct.",
            param="max_quality_loss",
        )
