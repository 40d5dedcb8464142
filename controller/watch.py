"""Watches what is decided: recent win rates, the live share of strong, and drift from what was calibrated. Numbers, never a prompt."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from pointsman.calibration.drift import Drift
from pointsman.calibration.files import Record
from pointsman.calibration.records import Records
from pointsman.runtime.controller_settings import ControllerSettings

_CHECKPOINTS: Final = 3  # of one strategy; two serve during a rollout


class ShareWindow:
    """The latest decisions for one strong share that was asked for."""

    def __init__(self, window: int) -> None:
        self._strong: deque[bool] = deque(maxlen=window)
        self._count = 0

    def add(self, strong: bool) -> None:
        """One decision."""
        if len(self._strong) == self._strong.maxlen:
            self._count -= self._strong[0]
        self._strong.append(strong)
        self._count += strong

    @property
    def decisions(self) -> int:
        """How many are remembered."""
        return len(self._strong)

    @property
    def strong_share(self) -> float:
        """Of those, from 0 to 1."""
        return self._count / len(self._strong) if self._strong else 0.0


@dataclass(frozen=True, slots=True)
class LiveDrift:
    """One record's."""

    record: str
    index: float
    win_rates: int
    past_limit: bool


class Live:
    """One checkpoint's recent traffic."""

    def __init__(self, settings: ControllerSettings, drift_limit: float) -> None:
        self._settings = settings
        self.drift_limit = drift_limit
        self.recent: deque[float] = deque(maxlen=settings.recent_win_rates)
        self.shares: dict[int, ShareWindow] = {}
        """By the share that was asked for, to the whole percent, so that there are at most 101."""
        self._drifts: dict[str, Drift] = {}

    def compare_with(self, quantiles: Mapping[str, tuple[float, ...]]) -> None:
        """These records count from now on, by name. One that is new begins with what is remembered."""
        latest = list(self.recent)[-self._settings.drift_window :]
        for name in quantiles.keys() - self._drifts.keys():
            self._drifts[name] = Drift(quantiles[name], self._settings.drift_window)
            for win_rate in latest:
                self._drifts[name].add(win_rate)
        self._drifts = {name: self._drifts[name] for name in quantiles}

    def saw(self, win_rate: float) -> None:
        """One more."""
        self.recent.append(win_rate)
        for drift in self._drifts.values():
            drift.add(win_rate)

    def decided(self, target: float, strong: bool) -> None:
        """By a strong share."""
        self.shares.setdefault(round(100 * target), ShareWindow(self._settings.drift_window)).add(strong)

    def is_past_limit(self, record: str) -> bool:
        """Whether the record's sample no longer resembles recent traffic."""
        drift = self._drifts.get(record)
        return drift is not None and drift.is_past(self.drift_limit)

    @property
    def drifts(self) -> list[LiveDrift]:
        """Of every record, once there is enough to tell."""
        limit = self.drift_limit
        return [LiveDrift(name, each.index, each.seen, each.is_past(limit)) for name, each in list(self._drifts.items()) if each.is_telling]


class Watch:
    """Every checkpoint's recent traffic. Of this process, since it started."""

    def __init__(self, settings: ControllerSettings, records: Records) -> None:
        self._settings = settings
        self._drift_limit = settings.drift_limit
        self._records = records
        self._live: dict[str, dict[str, Live]] = {}

    def use(self, records: Records) -> None:
        """Other records count from now on."""
        self._records = records
        for strategy, checkpoint, live in self:
            live.compare_with(self._quantiles(strategy, checkpoint))

    def use_limit(self, drift_limit: float) -> None:
        """Another limit counts from now on; what was seen stays."""
        self._drift_limit = drift_limit
        for _, _, live in self:
            live.drift_limit = drift_limit

    def of(self, strategy: str, checkpoint: str) -> Live:
        """That checkpoint's; it begins empty. The oldest checkpoint of a strategy is forgotten where there are too many."""
        checkpoints = self._live.setdefault(strategy, {})
        if checkpoint not in checkpoints:
            while len(checkpoints) >= _CHECKPOINTS:
                del checkpoints[next(iter(checkpoints))]
            checkpoints[checkpoint] = Live(self._settings, self._drift_limit)
            checkpoints[checkpoint].compare_with(self._quantiles(strategy, checkpoint))
        return checkpoints[checkpoint]

    def known(self, strategy: str, checkpoint: str) -> Live | None:
        """That checkpoint's, where it has decided anything."""
        return self._live.get(strategy, {}).get(checkpoint)

    def __iter__(self) -> Iterator[tuple[str, str, Live]]:
        """Strategy, checkpoint and its traffic; safe to walk in another thread."""
        for strategy, checkpoints in list(self._live.items()):
            for checkpoint, live in list(checkpoints.items()):
                yield strategy, checkpoint, live

    def _quantiles(self, strategy: str, checkpoint: str) -> dict[str, tuple[float, ...]]:
        """Of the newest calibration, and of the certificates."""
        records: list[Record] = [*self._records.of(strategy, checkpoint)[:1], *self._records.certificates_of(strategy, checkpoint)]
        return {record.name: record.quantiles for record in records}
