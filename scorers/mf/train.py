"""Trains mf on preference data and writes its checkpoint: `python -m scorers.mf.train --data … --out … --seed …`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from scorers.checkpoint import write_checkpoint
from scorers.embedding.embedder import DEFAULT_EMBEDDER, Embedder, build_embedder
from scorers.errors import InvalidData
from scorers.mf.card import card
from scorers.mf.config import MFConfig
from scorers.mf.cross_validation import FOLDS, HeldOut, held_out
from scorers.mf.fit import Floats, factorise, fit_vector, sigmoid
from scorers.offline.benchmarks import PAIR, VALIDATION_SALT, VALIDATION_SHARE, Outcome, data_sha256, load_outcomes, split
from scorers.offline.metrics import apgr
from scorers.offline.training import Report, TrainReport, run_training

L2_CHOICES: Final = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
_DIM: Final = 128  # RouteLLM's
_STRONG_SHARES: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def main_train(data: Path, out: Path, seed: int, report: Report, *, embedder: Embedder | None = None) -> TrainReport:
    """Fits on every training row (all but the fixed validation split) and writes the checkpoint to `out`. Raises `InvalidData`."""
    outcomes = load_outcomes(data)
    training, validation = split(outcomes, VALIDATION_SHARE, VALIDATION_SALT)
    if len(training) < FOLDS * FOLDS or not validation:
        raise InvalidData(f"{data}: {len(outcomes)} rows are too few to train on.")
    embedder = embedder or build_embedder(DEFAULT_EMBEDDER, threads=2)
    vectors = _embed(embedder, [*training, *validation], report)
    train_vectors, validation_vectors = vectors[: len(training)], vectors[len(training) :]

    l2, figures = _choose_l2(training, train_vectors, report)
    report("fitting", 0, 1)
    u = fit_vector(train_vectors, np.array([o.preference for o in training]), l2)
    report("fitting", 1, 1)
    content = _figures(l2, figures, outcomes, len(training), validation, sigmoid(validation_vectors @ u))
    config = {
        "strategy": "mf",
        "name": f"mf-{embedder.id.lower()}",
        "embedder": {"id": embedder.id, "sha256": embedder.sha256, "dim": embedder.dim},
        "dim": _DIM,
        "num_models": 2,
        "models": {PAIR.strong: 0, PAIR.weak: 1},
        "strong": PAIR.strong,
        "weak": PAIR.weak,
        "data_sha256": data_sha256(outcomes),
        "seed": seed,
        "created": datetime.now(UTC).date().isoformat(),
    }
    written = write_checkpoint(out, MFConfig, config, factorise(u, dim=_DIM, seed=seed), content, card(config, content))
    return TrainReport(written.version, str(out), content)


def _embed(embedder: Embedder, outcomes: Sequence[Outcome], report: Report) -> Floats:
    report("embedding prompts", 0, len(outcomes))
    texts = [o.prompt for o in outcomes]
    embeddings = embedder.embed(texts, lambda done: report("embedding prompts", done, len(texts)))
    return embeddings.vectors.astype(np.float64)


def _choose_l2(training: Sequence[Outcome], vectors: Floats, report: Report) -> tuple[float, HeldOut]:
    """The strength of the regularisation that does best on prompts held out of the training rows, and its figures."""
    stage = "choosing the regularisation"
    report(stage, 0, len(L2_CHOICES))
    tried: list[tuple[float, HeldOut]] = []
    for l2 in L2_CHOICES:
        tried.append((l2, held_out(training, vectors, l2)))
        report(stage, len(tried), len(L2_CHOICES))
    return max(tried, key=lambda each: each[1].mean)


def _figures(
    l2: float, cross_validated: HeldOut, outcomes: Sequence[Outcome], training_rows: int, validation: Sequence[Outcome], win_rates: Floats
) -> dict[str, Any]:
    gains = np.array([o.preference - 0.5 for o in validation])
    return {
        "rows": {
            "all": len(outcomes),
            "training": training_rows,
            "validation": len(validation),
            "mmlu_domains": len({o.domain for o in outcomes if o.benchmark == "mmlu"}),
            "strong_wins": sum(o.preference == 1 for o in outcomes),
            "ties": sum(o.preference == 0.5 for o in outcomes),
            "weak_wins": sum(o.preference == 0 for o in outcomes),
        },
        "l2": l2,
        "apgr": {name: round(value, 4) for name, value in asdict(cross_validated).items()}
        | {"validation": round(apgr(win_rates, gains), 4)},
        "how": (
            f"APGR: area under gap recovered against strong share, over all thresholds; random is 0.5. seen_domains and gsm8k: {FOLDS} "
            f"folds of the training prompts, each fitted without one; unseen_domains: {FOLDS} folds of whole MMLU domains; each the mean "
            "of its folds, at the l2 that did best over the three. validation: the shipped weights on the validation split, which "
            "neither the fit nor the choice of l2 has seen."
        ),
        "threshold_by_strong_share": {str(s): round(float(np.quantile(win_rates, 1 - s)), 5) for s in _STRONG_SHARES},
        "threshold_by_strong_share_how": "Quantiles of the validation split's win rates: exam questions, so not those of other traffic.",
    }


def main() -> int:
    """The command. Progress goes to standard error, the figures (JSON with --json) to standard output."""
    parser = argparse.ArgumentParser(prog="python -m scorers.mf.train", description="Train mf and write a checkpoint directory.")
    parser.add_argument("--data", type=Path, required=True, help="RouteLLM's routellm/evals, or a checkout of RouteLLM")
    parser.add_argument("--out", type=Path, required=True, help="the checkpoint directory to write")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    return run_training(lambda report: main_train(arguments.data, arguments.out, arguments.seed, report), as_json=arguments.json)


if __name__ == "__main__":
    sys.exit(main())
