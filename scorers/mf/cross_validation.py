"""How well a fit orders prompts that it hasn't seen: figures for three kinds of unseen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scorers.mf.fit import Floats, fit_vector
from scorers.offline.benchmarks import Outcome, prompt_fraction
from scorers.offline.metrics import apgr

FOLDS: Final = 7


@dataclass(frozen=True, slots=True)
class HeldOut:
    """APGR, each the mean over the folds: a random order gives 0.5."""

    seen_domains: float
    """MMLU prompts that the fit hasn't seen, of domains that it has."""
    unseen_domains: float
    """MMLU domains of which the fit has seen nothing."""
    gsm8k: float
    """GSM8K prompts that the fit hasn't seen."""

    @property
    def mean(self) -> float:
        """The three count alike: traffic that the data doesn't resemble matters as much as traffic that it does."""
        return (self.seen_domains + self.unseen_domains + self.gsm8k) / 3


def held_out(outcomes: Sequence[Outcome], embeddings: Floats, l2: float) -> HeldOut:
    """Fits 2 x 7 times, each without one seventh: of the prompts, then of the MMLU domains. `embeddings` is (n, dim)."""
    preferences = np.array([o.preference for o in outcomes])
    gsm8k = np.array([o.benchmark == "gsm8k" for o in outcomes])
    prompt_folds = np.array([int(prompt_fraction(o.prompt, "folds") * FOLDS) for o in outcomes])
    domain_folds = _domain_folds(outcomes)

    def score(test: NDArray[np.bool_], *kinds: NDArray[np.bool_]) -> list[float]:
        u = fit_vector(embeddings[~test], preferences[~test], l2)
        return [apgr(embeddings[test & kind] @ u, preferences[test & kind] - 0.5) for kind in kinds]

    by_prompt = [score(prompt_folds == fold, ~gsm8k, gsm8k) for fold in range(FOLDS)]
    by_domain = [score(domain_folds == fold, ~gsm8k) for fold in range(FOLDS)]
    seen, grade_school = np.nanmean(by_prompt, axis=0)
    return HeldOut(float(seen), float(np.nanmean(by_domain)), float(grade_school))


def _domain_folds(outcomes: Sequence[Outcome]) -> NDArray[np.int64]:
    """Each outcome's fold, domains dealt out whole; -1 for GSM8K, which is always trained on here."""
    domains = sorted({o.domain for o in outcomes if o.benchmark == "mmlu"}, key=lambda d: prompt_fraction(d, "domains"))
    fold_of = {domain: i % FOLDS for i, domain in enumerate(domains)}
    return np.array([fold_of.get(o.domain, -1) for o in outcomes], dtype=np.int64)
