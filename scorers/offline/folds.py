"""Which rows are held out of a fit to see how well it orders prompts that it hasn't seen, by the kind of unseen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scorers.offline.benchmarks import Outcome, prompt_fraction

FOLDS: Final = 7
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Fold:
    """`held_out` (n,) is what the fit mustn't see; `kinds` are parts of it, by the name of their figure."""

    held_out: Mask
    kinds: Mapping[str, Mask]


def folds(outcomes: Sequence[Outcome]) -> list[Fold]:
    """Seven by prompt; of RouteLLM's benchmark files seven more by MMLU domain, each domain held out whole."""
    by_prompt = np.array([int(prompt_fraction(o.prompt, "folds") * FOLDS) for o in outcomes])
    mmlu = np.array([o.benchmark == "mmlu" for o in outcomes])
    gsm8k = np.array([o.benchmark == "gsm8k" for o in outcomes])
    if not mmlu.any():
        return [Fold(by_prompt == fold, {"prompts": by_prompt == fold}) for fold in range(FOLDS)]
    by_domain = _domain_folds(outcomes)
    return [
        *(
            Fold(by_prompt == fold, {"seen_domains": (by_prompt == fold) & mmlu, "gsm8k": (by_prompt == fold) & gsm8k})
            for fold in range(FOLDS)
        ),
        *(Fold(by_domain == fold, {"unseen_domains": by_domain == fold}) for fold in range(FOLDS)),
    ]


def averaged(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Each kind's mean over the folds that have it."""
    kinds = sorted({kind for row in rows for kind in row}, key=_ORDER.index)
    return {kind: float(np.nanmean([row[kind] for row in rows if kind in row])) for kind in kinds}


def overall(figures: Mapping[str, float]) -> float:
    """The kinds count alike: traffic that the data doesn't resemble matters as much as traffic that it does."""
    return float(np.mean(list(figures.values())))


_ORDER: Final = ("seen_domains", "unseen_domains", "gsm8k", "prompts")


def _domain_folds(outcomes: Sequence[Outcome]) -> NDArray[np.int64]:
    """Each outcome's fold, domains dealt out whole; -1 for what isn't MMLU's, which is always trained on here."""
    domains = sorted({o.domain for o in outcomes if o.benchmark == "mmlu"}, key=lambda d: prompt_fraction(d, "domains"))
    fold_of = {domain: i % FOLDS for i, domain in enumerate(domains)}
    return np.array([fold_of.get(o.domain, -1) for o in outcomes], dtype=np.int64)
