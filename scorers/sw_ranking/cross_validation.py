"""How well the ranking orders prompts whose battles aren't in the table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scorers.offline.benchmarks import Outcome, prompt_fraction
from scorers.offline.metrics import apgr
from scorers.sw_ranking.battles import Battles
from scorers.sw_ranking.model import Weighing

FOLDS: Final = 7


@dataclass(frozen=True, slots=True)
class HeldOut:
    """APGR, each the mean over the folds: a random order gives 0.5."""

    seen_domains: float
    """MMLU prompts that the table hasn't, of domains that it has."""
    unseen_domains: float
    """MMLU domains of which the table has nothing."""
    gsm8k: float
    """GSM8K prompts that the table hasn't."""

    @property
    def mean(self) -> float:
        """The three count alike: traffic that the data doesn't resemble matters as much as traffic that it does."""
        return (self.seen_domains + self.unseen_domains + self.gsm8k) / 3


def held_out(outcomes: Sequence[Outcome], battles: Battles, choices: Sequence[Weighing]) -> Iterator[list[float]]:
    """Per fold and choice: 2 x 7 tables, each without one seventh, of the prompts and then of the MMLU domains.

    Yields a row per table: for each choice its APGR on MMLU and GSM8K (by prompts), or on MMLU (by domains), end to end.
    """
    gains = np.array([o.preference - 0.5 for o in outcomes])
    gsm8k = np.array([o.benchmark == "gsm8k" for o in outcomes])
    prompt_folds = np.array([int(prompt_fraction(o.prompt, "folds") * FOLDS) for o in outcomes])
    domain_folds = _domain_folds(outcomes)
    for folds, kinds in ((prompt_folds, (~gsm8k, gsm8k)), (domain_folds, (~gsm8k,))):
        for fold in range(FOLDS):
            test = folds == fold
            rates = [battles.where(~test).ranking(weighing).win_rates(battles.vectors[test]) for weighing in choices]
            yield [apgr(each[kind[test]], gains[test & kind]) for each in rates for kind in kinds]


def summarised(rows: Sequence[Sequence[float]], choices: int) -> list[HeldOut]:
    """The figures of each choice, from all rows of `held_out`."""
    by_prompt = np.nanmean(np.array(rows[:FOLDS]).reshape(FOLDS, choices, 2), axis=0)
    by_domain = np.nanmean(np.array(rows[FOLDS:]).reshape(FOLDS, choices), axis=0)
    return [HeldOut(float(seen), float(unseen), float(gsm8k)) for (seen, gsm8k), unseen in zip(by_prompt, by_domain, strict=True)]


def _domain_folds(outcomes: Sequence[Outcome]) -> NDArray[np.int64]:
    """Each outcome's fold, domains dealt out whole; -1 for GSM8K, which is always in the table here."""
    domains = sorted({o.domain for o in outcomes if o.benchmark == "mmlu"}, key=lambda d: prompt_fraction(d, "domains"))
    fold_of = {domain: i % FOLDS for i, domain in enumerate(domains)}
    return np.array([fold_of.get(o.domain, -1) for o in outcomes], dtype=np.int64)
