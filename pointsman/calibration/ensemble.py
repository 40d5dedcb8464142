"""Several strategies as one: the mean of their calibrated ranks, and what its own record is known by."""

from __future__ import annotations

from collections.abc import Sequence

from pointsman.calibration.making import Data, Scorer, calibration_record
from pointsman.calibration.quantiles import DRAWS
from pointsman.calibration.record import CalibrationRecord


def ensemble_of(records: Sequence[CalibrationRecord]) -> tuple[str, str]:
    """What the record of the mean of these records' ranks has as strategy and checkpoint: their strategies and names, in one order.

    So it counts for these very records: were one made anew its ranks would be others.
    """
    in_order = sorted(records, key=lambda record: record.strategy)
    return "+".join(record.strategy for record in in_order), "+".join(record.name for record in in_order)


def mean_rank(records: Sequence[CalibrationRecord], win_rates: Sequence[float]) -> float:
    """0 to 1, of one prompt's win rate by each record's strategy."""
    return sum(record.rank(win_rate) for record, win_rate in zip(records, win_rates, strict=True)) / len(records)


def ensemble_record(
    records: Sequence[CalibrationRecord], win_rates: Sequence[Sequence[float]], data: Data, shares: Sequence[float], *, draws: int = DRAWS
) -> CalibrationRecord:
    """The record of the mean rank for a sample; `win_rates` has each record's strategy's, all of the same prompts.

    Raises `InvalidRequest` where the mean can't tell prompts apart.
    """
    strategy, checkpoint = ensemble_of(records)
    means = [mean_rank(records, prompt) for prompt in zip(*win_rates, strict=True)]
    return calibration_record(Scorer(strategy, checkpoint, ""), means, data, shares, draws=draws)
