"""Held-out cuts: what a fit mustn't see, in the three kinds that figures are given for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from scorers.offline.benchmarks import Outcome, prompt_fraction

CUTS: Final = 3
_FOLDS: Final = 7  # of MMLU's prompts and of its domains; GSM8K, which has few prompts, is cut in CUTS


@dataclass(frozen=True, slots=True)
class Cut:
    """Indices: `training` shares no prompt with `held_out`, nor a domain with its `unseen_domains`."""

    training: list[int]
    held_out: Mapping[str, list[int]]


def cut(outcomes: Sequence[Outcome], candidates: Sequence[int], number: int) -> Cut:
    """The cut of that number (from 0) among the candidates, indices of outcomes: a seventh of prompts and of MMLU's domains, a third of
    GSM8K."""
    domains = sorted(
        {outcomes[i].domain for i in candidates if outcomes[i].benchmark == "mmlu"}, key=lambda d: prompt_fraction(d, "domains")
    )
    unseen = set(domains[number::_FOLDS])
    training: list[int] = []
    held_out: dict[str, list[int]] = {}
    for i in candidates:
        outcome, fraction = outcomes[i], prompt_fraction(outcomes[i].prompt, "folds")
        if outcome.domain in unseen:
            held_out.setdefault("unseen_domains", []).append(i)
        elif outcome.benchmark == "gsm8k" and int(fraction * CUTS) == number:
            held_out.setdefault("gsm8k", []).append(i)
        elif outcome.benchmark != "gsm8k" and int(fraction * _FOLDS) == number:
            held_out.setdefault("seen_domains" if outcome.benchmark == "mmlu" else "prompts", []).append(i)
        else:
            training.append(i)
    return Cut(training, held_out)
