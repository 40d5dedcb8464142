"""Whoever has opinions of prompts, and what they say: the words between the decision and the client of Ray Serve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from pointsman.v1 import routing_pb2


class ScoringError(Exception):
    """The strategy gave no win rate; `reason` is why, as a receipt says it."""

    def __init__(self, reason: routing_pb2.Reason.ValueType) -> None:
        super().__init__(routing_pb2.Reason.Name(reason))
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Score:
    """A strategy's answer."""

    strong_win_rate: float
    checkpoint: str
    truncated: bool = False
    version: str = ""
    """Of the scorer, as its state has it; empty where it doesn't say."""
    cached: bool = False
    """Remembered, and not asked for."""


@dataclass(frozen=True, slots=True)
class ScorerState:
    """What the last probe saw."""

    ready: bool = False
    detail: str = "not asked yet"
    checkpoint: str = ""
    embedder: str = ""
    version: str = ""


def embedder_of(states: Mapping[str, ScorerState], strategy: str, checkpoint: str) -> str:
    """Of the checkpoint that answered, where the probes know it; empty where they know another."""
    state = states[strategy]
    return state.embedder if state.checkpoint == checkpoint else ""


class Scorers(Protocol):
    """Whoever has opinions: Ray Serve, or a sibling in tests."""

    @property
    def states(self) -> Mapping[str, ScorerState]:
        """Every configured strategy's state."""

    async def score(self, strategy: str, text: str, session: str, budget_s: float) -> Score:
        """The prompt's strong win rate within `budget_s` seconds. Raises `ScoringError`."""
