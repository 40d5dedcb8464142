"""The decision cache: an identical text has the win rate that it had, by the checkpoint that still serves, without a scorer call."""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from time import monotonic

from prometheus_client import CollectorRegistry, Counter

from controller.scorers import Score, Scorers, ScorerState, ScoringError
from pointsman.v1 import routing_pb2

_Digest = bytes


@dataclass(slots=True)
class _Flight:
    """A call that several may wait for."""

    task: asyncio.Task[Score]
    until: float
    """When it's given up, on the monotonic clock: its first asker's deadline."""
    waiting: int = 0


class DecisionCache:
    """`Scorers` that remember, least recently used first to go; identical texts that are asked at once share one call.

    Keys are hashes by a random key of this process: no prompt is kept. A strategy that draws, or that has no checkpoint to know it by, is
    asked each time.
    """

    def __init__(self, scorers: Scorers, entries: int, registry: CollectorRegistry) -> None:
        self._scorers = scorers
        self._most = entries
        self._hash_key = secrets.token_bytes(32)
        self._scores: OrderedDict[tuple[str, str, str, _Digest], Score] = OrderedDict()
        self._flights: dict[tuple[str, _Digest], _Flight] = {}
        self._lookups = Counter(
            "pointsman_decision_cache", "Lookups; shared: waited for another's call.", ["strategy", "outcome"], registry=registry
        )

    @property
    def states(self) -> Mapping[str, ScorerState]:
        """What the last probes saw."""
        return self._scorers.states

    def __len__(self) -> int:
        """Win rates remembered."""
        return len(self._scores)

    async def score(self, strategy: str, text: str, session: str, budget_s: float) -> Score:
        """See `Scorers.score`."""
        state = self.states[strategy]
        if not state.ready or not _is_of_the_text_alone(strategy, state):
            return await self._scorers.score(strategy, text, session, budget_s)
        digest = blake2b(text.encode(), digest_size=16, key=self._hash_key).digest()
        key = _key(strategy, state, digest)
        if found := self._scores.get(key):
            self._scores.move_to_end(key)
            self._lookups.labels(strategy, "hit").inc()
            return found
        until = monotonic() + budget_s
        flight = self._flights.get((strategy, digest))
        self._lookups.labels(strategy, "shared" if flight else "miss").inc()
        if flight is None:
            task = asyncio.get_running_loop().create_task(self._fly(strategy, digest, text, session, budget_s))
            flight = self._flights[strategy, digest] = _Flight(task, until)
        try:
            return await self._wait(flight, (strategy, digest), budget_s)
        except ScoringError as error:
            left = until - monotonic()
            if error.reason != routing_pb2.REASON_SCORER_TIMEOUT or flight.until >= until or left <= 0:
                raise
        # It was given up for one who had less time.
        return await self.score(strategy, text, session, left)

    async def _wait(self, flight: _Flight, name: tuple[str, _Digest], budget_s: float) -> Score:
        """Whoever leaves, late or cancelled, leaves alone; the last one ends the call."""
        flight.waiting += 1
        try:
            async with asyncio.timeout(budget_s):
                return await asyncio.shield(flight.task)
        except TimeoutError:
            raise ScoringError(routing_pb2.REASON_SCORER_TIMEOUT) from None
        finally:
            flight.waiting -= 1
            if not flight.waiting:
                flight.task.cancel()
                if self._flights.get(name) is flight:
                    del self._flights[name]

    async def _fly(self, strategy: str, digest: _Digest, text: str, session: str, budget_s: float) -> Score:
        score = await self._scorers.score(strategy, text, session, budget_s)
        state = self.states[strategy]
        # Of two that serve during a rollout only the probed one's is remembered; the other's will be once it's probed.
        if score.checkpoint == state.checkpoint and score.version in ("", state.version):
            self._scores[_key(strategy, state, digest)] = replace(score, cached=True)
            while len(self._scores) > self._most:
                self._scores.popitem(last=False)
        return score


def _key(strategy: str, state: ScorerState, digest: _Digest) -> tuple[str, str, str, _Digest]:
    """The version differs where the same checkpoint may give other win rates, by other options."""
    return strategy, state.checkpoint, state.version, digest


def _is_of_the_text_alone(strategy: str, state: ScorerState) -> bool:
    return strategy != "random" and state.checkpoint not in ("", "none")
