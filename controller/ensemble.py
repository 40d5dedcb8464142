"""Several strategies' opinions as one score: the mean of their calibrated ranks."""

from __future__ import annotations

from collections.abc import Sequence

from controller.record_book import RecordBook
from controller.scorers import Scorers, embedder_of
from pointsman.calibration.ensemble import mean_rank
from pointsman.calibration.record import CalibrationRecord
from pointsman.v1 import routing_pb2


class Ranks:
    """Win rates of different strategies can't be compared; their ranks in a sample of prompts can. Rule 10: by the record of the checkpoint
    that answered."""

    def __init__(self, scorers: Scorers, book: RecordBook) -> None:
        self._scorers = scorers
        self._book = book

    def mean(self, opinions: Sequence[routing_pb2.Opinion]) -> tuple[float, list[CalibrationRecord]]:
        """The mean rank, 0 to 1, of opinions that have a win rate, and the records that the ranks are by, in order.

        Raises `NotCalibrated` naming a strategy whose checkpoint has no record.
        """
        records = [self.record(opinion.strategy, opinion.checkpoint) for opinion in opinions]
        return mean_rank(records, [opinion.strong_win_rate for opinion in opinions]), records

    def record(self, strategy: str, checkpoint: str) -> CalibrationRecord:
        """The one that counts. Raises `NotCalibrated`."""
        return self._book.records.ranking(strategy, checkpoint, embedder_of(self._scorers.states, strategy, checkpoint))
