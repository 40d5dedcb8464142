"""The ensembles that may be asked for a strong share: those with a record by the records that their strategies have now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from controller.scorers import ScorerState
from pointsman.calibration.ensemble import ensemble_of
from pointsman.calibration.record import CalibrationRecord
from pointsman.calibration.records import Records


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Strategies' names joined by `+`, what its records have as checkpoint, and those records, of which the first counts."""

    name: str
    checkpoint: str
    records: Sequence[CalibrationRecord]


def ensembles_of(records: Records, states: Mapping[str, ScorerState]) -> Iterator[Ensemble]:
    """By name. One that names a strategy which isn't there, or that isn't calibrated, is none; nor is one by other records."""
    for name in records.ensembles:
        members = [_counting(records, strategy, states.get(strategy)) for strategy in name.split("+")]
        known = [member for member in members if member]
        if len(known) == len(members):
            strategies, checkpoint = ensemble_of(known)
            if found := records.of(strategies, checkpoint):
                yield Ensemble(strategies, checkpoint, found)


def _counting(records: Records, strategy: str, state: ScorerState | None) -> CalibrationRecord | None:
    """The strategy's own record that its ranks are by now."""
    if state is None or not state.checkpoint:
        return None
    return next(iter(records.of(strategy, state.checkpoint, state.embedder)), None)
