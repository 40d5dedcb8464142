"""Ways of doing the same work, timed in turns."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

BATCH: Final = 32
_WORDS: Final = ("how", "many", "of", "the", "following", "numbers", "divide", "a", "sum", "when", "each", "part", "is", "known", "and")


@dataclass(frozen=True, slots=True)
class Timed:
    """Medians over the rounds, in seconds per prompt."""

    wall: float
    processor: float


def timed(ways: Mapping[str, Callable[[], int]], rounds: int) -> dict[str, Timed]:
    """Each way does its work and says for how many prompts. They take turns, so that what else runs here slows all of them alike."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, work in ways.items():
            begun, busy = time.perf_counter(), time.process_time()
            prompts = work()
            if turn:  # the first is for warming up
                found[name].append(((time.perf_counter() - begun) / prompts, (time.process_time() - busy) / prompts))
    return {name: Timed(*(statistics.median(each) for each in zip(*times, strict=True))) for name, times in found.items()}


def texts(words: int, count: int = BATCH) -> list[str]:
    """Prompts of so many words, each of which is one token for the tokenizers here."""
    draw = random.Random(words)
    return [" ".join(draw.choices(_WORDS, k=words)) for _ in range(count)]
