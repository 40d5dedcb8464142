"""Builds what answers by the settings, and builds it anew when they change.

Whatever holds state is built once and stays. What is built anew holds none but connections: a request under way goes on with the
objects it began with, and so with its settings.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from controller.backends import Backends
from controller.breaker import State
from controller.calibrating import Calibrator
from controller.controller import Controller
from controller.decider import Decider
from controller.dispatch import Dispatcher
from controller.ensemble import Ranks
from controller.ledger import Ledger
from controller.pins import Pins
from controller.record_book import RecordBook
from controller.reload import taken_over
from controller.sampling import Sampler
from controller.scorer_client import ScorerClient
from controller.scorers import Scorers
from controller.shadow import Shadow
from controller.thresholds import Thresholds
from controller.unscored import UnscoredSpending
from controller.watch import Watch
from pointsman.runtime.controller_settings import ControllerSettings
from pointsman.runtime.reloading import Change
from pointsman.runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class Kept:
    """What lives as long as the process."""

    ledger: Ledger
    scorers: ScorerClient
    opinions: Scorers
    """The same, with the decision cache in front where there is one."""
    ranks: Ranks
    shadow: Shadow | None
    book: RecordBook
    watch: Watch
    pins: Pins
    unscored: UnscoredSpending

    def use(self, own: ControllerSettings) -> None:
        """What of the settings counts for it too, from now on."""
        self.scorers.timeout_s = own.scorer_timeout_s
        self.watch.use_limit(own.drift_limit)
        if self.shadow:
            self.shadow.use(own)


@dataclass(frozen=True, slots=True)
class Generation:
    """What answers by one state of the settings."""

    settings: Settings
    controller: Controller
    calibrator: Calibrator


class Pool:
    """Backends with their breakers and budgets, closed once they are replaced and nobody uses them any more."""

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self.names = frozenset(settings.backends)
        self._ledger: Ledger | None = ledger
        self.backends = Backends(settings.backends)
        self.dispatcher = Dispatcher(settings, self.backends, self._breaker_changed)
        self._users = 0
        self._unused = asyncio.Event()
        self._unused.set()

    @contextmanager
    def used(self) -> Iterator[None]:
        """While a request is under way."""
        self._users += 1
        self._unused.clear()
        try:
            yield
        finally:
            self._users -= 1
            if not self._users:
                self._unused.set()

    def retire(self) -> None:
        """Requests under way go on, and what their breakers do is no longer what the metric shows."""
        self._ledger = None

    def _breaker_changed(self, backend: str, state: State) -> None:
        if self._ledger:
            self._ledger.breaker_changed(backend, state)

    async def close(self, *, at_once: bool) -> None:
        """Ends the connections."""
        if not at_once:
            await self._unused.wait()
        await self.backends.__aexit__()


class Generations:
    """The one that is in force, and those before it while requests hold them."""

    def __init__(self, settings: Settings, kept: Kept) -> None:
        self._kept = kept
        self._pool = Pool(settings, kept.ledger)
        self._closing: dict[asyncio.Task[None], Pool] = {}
        self.now = self._built(settings)

    async def __aenter__(self) -> Generations:
        await self._pool.backends.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._closing:
            task.cancel()
        await asyncio.gather(*self._closing, return_exceptions=True)
        for pool in (*self._closing.values(), self._pool):
            await pool.close(at_once=True)

    async def reload(self, file: Settings) -> Change:
        """Takes over what may change while it runs, from the next request on. Raises `SettingsError`, and nothing has changed then."""
        settings, change = taken_over(self.now.settings, file)
        if settings.backends != self.now.settings.backends:
            await self._replace_backends(settings)
        self._kept.use(settings.controller)
        self.now = self._built(settings)
        return change

    async def _replace_backends(self, settings: Settings) -> None:
        pool = Pool(settings, self._kept.ledger)
        await pool.backends.__aenter__()
        replaced, self._pool = self._pool, pool
        replaced.retire()
        for name in replaced.names - pool.names:
            self._kept.ledger.backend_gone(name)
        task = asyncio.create_task(replaced.close(at_once=False), name="replaced backends")
        self._closing[task] = replaced
        task.add_done_callback(lambda done: None if done.cancelled() else self._closing.pop(done, None))

    def _built(self, settings: Settings) -> Generation:
        kept, own = self._kept, settings.controller
        thresholds = Thresholds(settings, kept.scorers, kept.book, kept.watch)
        decider = Decider(settings, kept.opinions, thresholds, kept.ranks, kept.unscored)
        controller = Controller(settings, decider, self._pool.dispatcher, kept.ledger, kept.pins, kept.shadow, self._pool.used)
        calibrator = Calibrator(settings, Sampler(own, kept.scorers, kept.watch), kept.book, kept.ledger.spending)
        return Generation(settings, controller, calibrator)
