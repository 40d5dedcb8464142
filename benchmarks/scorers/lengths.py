"""What it saves to split a batch of unlike prompts by length, against one padded batch. On purpose, not in CI:

    .venv/bin/python -m benchmarks.scorers.lengths

Milliseconds of one thread's processor time per prompt; the three ways take turns.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, Final
from unittest import mock

import torch

from benchmarks.scorers.timing import texts, timed
from pointsman.runtime.settings import StrategySettings
from scorers.registry import build_router
from scorers.router import Router, ScoredPrompt

_MODULES: Final = {"mf": "scorers.embedding.encoder", "bert": "scorers.bert.engine", "causal_llm": "scorers.causal_llm.model"}
_FROM, _TO = 4, 200


def _one_batch(lengths: list[int], **_: Any) -> list[list[int]]:
    return [list(range(len(lengths)))]


def _by_length(lengths: list[int], *, most: int, most_tokens: int | None = None, **_: Any) -> list[list[int]]:
    """Sorted and cut where a batch is full, whatever is padded: as it was before."""
    found: list[list[int]] = []
    for i in sorted(range(len(lengths)), key=lengths.__getitem__):
        if found and len(found[-1]) < most and (len(found[-1]) + 1) * lengths[i] <= (most_tokens or sys.maxsize):
            found[-1].append(i)
        else:
            found.append([i])
    return found


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", nargs="+", choices=list(_MODULES), default=list(_MODULES))
    options = parser.parse_args()
    torch.set_num_threads(1)
    packages = ", ".join(f"{each} {version(each)}" for each in ("torch", "transformers"))
    print(f"\n{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {packages}.\n")
    print("| strategy | prompts | one batch | sorted, cut when full | as it serves | saved |\n|---|---|---|---|---|---|", flush=True)
    draw = random.Random(1)
    for name in options.only:
        settings = {"embedding_cache": 0} if name == "mf" else {}
        router = build_router(name, StrategySettings(options=settings))
        for count in (4, 16):
            mixed = [texts(int(_FROM * (_TO / _FROM) ** draw.random()), 1)[0] for _ in range(count)]
            ways: dict[str, Callable[[], int]] = {
                "one": _with(router, mixed, name, _one_batch),
                "sorted": _with(router, mixed, name, _by_length),
                "served": _with(router, mixed, name, None),
            }
            each = {way: 1000 * of.processor for way, of in timed(ways, options.rounds).items()}
            shown = " | ".join(f"{value:.2f}" for value in each.values())
            print(f"| {name} | {count} of {_FROM} to {_TO} words | {shown} | {1 - each['served'] / each['sorted']:.0%} |", flush=True)


def _with(router: Router, prompts: list[str], name: str, split: Callable[..., list[list[int]]] | None) -> Callable[[], int]:
    scored = [ScoredPrompt(prompt) for prompt in prompts]

    def work() -> int:
        if split is None:
            return len(router.calculate_strong_win_rates(scored))
        with mock.patch(f"{_MODULES[name]}.alike", split):
            return len(router.calculate_strong_win_rates(scored))

    return work


if __name__ == "__main__":
    main()
