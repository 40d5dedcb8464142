"""What every way of scoring gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Scores = Mapping[str, list[float]]
"""By strategy, a list as long as the prompts."""
Progress = Callable[[int], None]
"""Told how many prompts have been scored, over all strategies."""


@dataclass(frozen=True, slots=True)
class Scored:
    """One strategy's win rates (as many as prompts) and whose they are."""

    strategy: str
    checkpoint: str
    embedder: str
    win_rates: list[float]
