"""Trains mf on preference data and writes its checkpoint: `pointsman train mf --data … --out …`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np

from scorers.checkpoint import write_checkpoint
from scorers.embedding.embedder import DEFAULT_EMBEDDER, Embedder
from scorers.embedding.options import embedder_named
from scorers.mf.card import card
from scorers.mf.config import MFConfig
from scorers.mf.fit import factorise
from scorers.offline.benchmarks import PAIR
from scorers.offline.figures import how_held_out, rounded, thresholds
from scorers.offline.logistic import Floats, choose_l2, fit_vector, sigmoid
from scorers.offline.metrics import apgr
from scorers.offline.resume import embedded, work_folder
from scorers.offline.training import Report, TrainReport, run_training, training_parser
from scorers.offline.training_data import load_training_data
from scorers.router import ModelPair

L2_CHOICES: Final = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
_DIM: Final = 128  # RouteLLM's


def main_train(
    data: Path,
    out: Path,
    seed: int,
    report: Report,
    *,
    pair: ModelPair = PAIR,
    embedder: Embedder | None = None,
    work: Path | None = None,
) -> TrainReport:
    """Fits on every training row (all but the fixed validation split) and writes the checkpoint to `out`. Raises `InvalidData`."""
    found = load_training_data(data, pair)
    embedder = embedder or embedder_named(DEFAULT_EMBEDDER, threads=2)
    vectors = embedded(embedder, [o.prompt for o in found.outcomes], report, work).astype(np.float64)
    train_vectors, validation_vectors = vectors[: len(found.training)], vectors[len(found.training) :]

    l2, held_out = choose_l2(found.training, train_vectors, L2_CHOICES, report)
    report("fitting", 0, 1)
    u = fit_vector(train_vectors, np.array([o.preference for o in found.training]), l2)
    report("fitting", 1, 1)
    win_rates: Floats = sigmoid(validation_vectors @ u)
    gains = np.array([o.preference - 0.5 for o in found.validation])
    content = {
        "rows": found.rows(),
        "l2": l2,
        "apgr": rounded({**held_out, "validation": apgr(win_rates, gains)}),
        "how": f"{how_held_out(benchmarks=found.benchmarks, chosen='l2')} {_VALIDATION}",
        **thresholds(win_rates, benchmarks=found.benchmarks),
    }
    config = {
        "strategy": "mf",
        "name": f"mf-{embedder.id.lower()}",
        "embedder": {"id": embedder.id, "sha256": embedder.sha256, "dim": embedder.dim},
        "dim": _DIM,
        "num_models": 2,
        "models": {pair.strong: 0, pair.weak: 1},
        "strong": pair.strong,
        "weak": pair.weak,
        "data_sha256": found.sha256,
        "seed": seed,
        "created": datetime.now(UTC).date().isoformat(),
    }
    made = card(config, content, benchmarks=found.benchmarks)
    written = write_checkpoint(out, MFConfig, config, factorise(u, dim=_DIM, seed=seed), content, made)
    return TrainReport(written.version, str(out), content)


_VALIDATION: Final = "validation: the shipped weights on the validation split, which neither the fit nor the choice of l2 has seen."


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Progress goes to standard error, the figures (JSON with --json) to standard output."""
    parser = training_parser("mf", "Train mf and write a checkpoint directory.")
    parser.add_argument("--embedder", default=DEFAULT_EMBEDDER, help="an embedder's id, or a directory of sentence-transformers' layout")
    options = parser.parse_args(arguments)
    pair = ModelPair(options.strong, options.weak)

    def train(report: Report) -> TrainReport:
        embedder = embedder_named(options.embedder, threads=options.threads)
        with work_folder(options.out, options.work) as work:
            return main_train(options.data, options.out, options.seed, report, pair=pair, embedder=embedder, work=work)

    return run_training(train, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
