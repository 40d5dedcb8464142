"""Watches a running cluster: says when each strategy is ready or has failed, notices when Ray itself is dead, reloads on SIGHUP."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final, Protocol

import structlog

from pointsman.runtime.lifecycle import until_stopped
from pointsman.runtime.process import Reload
from pointsman.runtime.settings import Settings
from scorers.reload import Deploys, reload_on_hangup

_log = structlog.get_logger()
_STARTING_INTERVAL_S: Final = 0.25
_INTERVAL_S: Final = 2.0
_CONTROLLER_SILENT_S: Final = 30.0


class State(Protocol):
    """How a strategy's application stands; a failure is a sentence, empty where there's none."""

    @property
    def ready(self) -> bool: ...

    @property
    def failure(self) -> str: ...


class Watched(Deploys, Protocol):
    """What there is to watch of a cluster."""

    def states(self) -> Mapping[str, State]:
        """By strategy; raises when the controller can't answer."""

    def dead(self) -> str:
        """The names of Ray's processes that have died, or an empty string."""


class RayDied(Exception):
    """Ray can't serve any more and won't recover: only a new start helps."""


async def watch(cluster: Watched, settings: Settings, started: float, reload: Reload) -> str:
    """Returns the name of the signal that stopped it. Raises `RayDied`. `started` is time.monotonic() at the start."""
    stopped = asyncio.create_task(until_stopped())
    watching = asyncio.create_task(_watch(cluster, settings, started))
    reloading = asyncio.create_task(reload_on_hangup(cluster, reload))
    done, _ = await asyncio.wait([stopped, watching], return_when=asyncio.FIRST_COMPLETED)
    reloading.cancel()
    if stopped in done:
        watching.cancel()
        return stopped.result()
    stopped.cancel()
    raise watching.exception() or RayDied("the watch ended")


async def _watch(cluster: Watched, settings: Settings, started: float) -> None:
    known: dict[str, tuple[bool, str]] = dict.fromkeys(settings.strategies, (False, ""))
    states = _Asking(cluster.states)
    answered = time.monotonic()
    asked: asyncio.Future[Mapping[str, State]] | None = None
    while True:
        if dead := cluster.dead():
            raise RayDied(dead)
        if time.monotonic() - answered > _CONTROLLER_SILENT_S:
            raise RayDied("the Serve controller")
        asked = asked or states.ask()
        settled = all(ready or failure for ready, failure in known.values())
        interval = _INTERVAL_S if settled else _STARTING_INTERVAL_S
        await asyncio.wait([asked], timeout=interval)
        if not asked.done():
            continue
        if error := asked.exception():
            # Ray restarts its controller by itself, unless it can't.
            _log.warning("serve controller doesn't answer", error=type(error).__name__)
        else:
            answered = time.monotonic()
            _tell_changes(known, asked.result(), started)
        asked = None
        await asyncio.sleep(interval)


class _Asking:
    """Calls in a daemon thread, one after the other. A call to a dead Ray may never return, and a pool's thread would hold up the process's
    end."""

    def __init__(self, call: Callable[[], Mapping[str, State]]) -> None:
        self._call = call
        self._asked: queue.SimpleQueue[asyncio.Future[Mapping[str, State]]] = queue.SimpleQueue()
        threading.Thread(target=self._run, daemon=True, name="serve-status").start()

    def ask(self) -> asyncio.Future[Mapping[str, State]]:
        """The next call's future."""
        future: asyncio.Future[Mapping[str, State]] = asyncio.get_running_loop().create_future()
        self._asked.put(future)
        return future

    def _run(self) -> None:
        while True:
            future = self._asked.get()
            try:
                outcome: Mapping[str, State] | Exception = self._call()
            except Exception as error:  # noqa: BLE001 (Ray raises many kinds; each is told)
                outcome = error
            with suppress(RuntimeError):  # the loop is closed: nobody listens any more
                future.get_loop().call_soon_threadsafe(_settle, future, outcome)


def _settle(future: asyncio.Future[Mapping[str, State]], outcome: Mapping[str, State] | Exception) -> None:
    if future.done():
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)


def _tell_changes(known: dict[str, tuple[bool, str]], states: Mapping[str, State], started: float) -> None:
    for gone in known.keys() - states.keys():
        if known[gone] != (False, ""):  # not yet deployed, otherwise
            del known[gone]
            _log.info("strategy stopped", strategy=gone)
    for strategy, state in states.items():
        now = (state.ready, state.failure)
        if now == known.get(strategy):
            continue
        known[strategy] = now
        if state.ready:
            _log.info("strategy ready", strategy=strategy, seconds=round(time.monotonic() - started, 1))
        elif state.failure:
            _log.error("strategy failed", strategy=strategy, error=state.failure)
        else:
            _log.warning("strategy not ready", strategy=strategy)
