"""Trains bert on preference data and writes its checkpoint: `python -m scorers.bert.train --data … --out … --seed …`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from transformers.utils import logging as transformers_logging

from scorers.bert.base import BASE_ID, base_folder, empty_model, load_base
from scorers.bert.card import card
from scorers.bert.classifier import read_tokenizer
from scorers.bert.config import BertConfig
from scorers.bert.engine import batches, padded
from scorers.bert.fit import fit_classes
from scorers.bert.pooling import Floats, features, pool_by_mean, replaced, set_classifier, strong_win_rates
from scorers.bert.window import Window
from scorers.checkpoint import write_checkpoint
from scorers.errors import InvalidData
from scorers.mf.cross_validation import FOLDS, HeldOut, held_out
from scorers.mf.fit import fit_vector
from scorers.offline.benchmarks import PAIR, VALIDATION_SALT, VALIDATION_SHARE, Outcome, data_sha256, load_outcomes, split
from scorers.offline.metrics import apgr
from scorers.offline.training import Report, TrainReport, run_training

L2_CHOICES: Final = (1.0, 2.0, 4.0)
_LAYERS: Final = 4
_MAX_TOKENS: Final = 256  # what the base was made with
_BATCH: Final = 32
_STRONG_SHARES: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def main_train(data: Path, out: Path, seed: int, report: Report, *, layers: int = _LAYERS) -> TrainReport:
    """Fits on every training row (all but the fixed validation split) and writes the checkpoint to `out`. Raises `InvalidData`.

    Of the base, `layers` - 1 layers are kept. The fit leaves nothing to chance; `seed` is only recorded.
    """
    outcomes = load_outcomes(data)
    training, validation = split(outcomes, VALIDATION_SHARE, VALIDATION_SALT)
    if len(training) < FOLDS * FOLDS or not validation:
        raise InvalidData(f"{data}: {len(outcomes)} rows are too few to train on.")
    model = empty_model(layers)
    base_sha256 = load_base(model, replaced(layers))
    pool_by_mean(model)
    rows = _read(model, [o.prompt for o in [*training, *validation]], report)
    train_rows, validation_rows = rows[: len(training)], rows[len(training) :]

    l2, held = _choose_l2(training, train_rows, report)
    report("fitting", 0, 1)
    u = fit_vector(train_rows, _preferences(training), l2)
    scale, intercepts = fit_classes(train_rows @ u, _labels(training))
    set_classifier(model, scale * u, intercepts)
    report("fitting", 1, 1)
    content = _figures(l2, held, outcomes, len(training), validation, strong_win_rates(model, validation_rows))
    config = {
        "strategy": "bert",
        "name": f"bert-{BASE_ID.lower()}",
        "base": {"id": BASE_ID, "sha256": base_sha256},
        "layers": layers,
        "replaced": replaced(layers),
        "max_tokens": _MAX_TOKENS,
        "strong": PAIR.strong,
        "weak": PAIR.weak,
        "data_sha256": data_sha256(outcomes),
        "seed": seed,
        "created": datetime.now(UTC).date().isoformat(),
    }
    written = write_checkpoint(out, BertConfig, config, _halves(model, replaced(layers)), content, card(config, content))
    return TrainReport(written.version, str(out), content)


@torch.inference_mode()
def _read(model: Any, prompts: Sequence[str], report: Report) -> Floats:
    """The model's features (n, dim), a row per prompt."""
    stage = "reading prompts"
    report(stage, 0, len(prompts))
    window = Window(read_tokenizer(base_folder()), max_tokens=_MAX_TOKENS, keeps="head and tail")
    ids = [tokens.ids for tokens in window.read(prompts)]
    rows, done = np.empty((len(ids), model.config.hidden_size)), 0
    for batch in batches([len(each) for each in ids], _BATCH):
        rows[batch] = features(model, *padded([ids[i] for i in batch], model.config.pad_token_id))
        report(stage, done := done + len(batch), len(ids))
    return rows


def _choose_l2(training: Sequence[Outcome], rows: Floats, report: Report) -> tuple[float, HeldOut]:
    """The strength of the regularisation that does best on prompts held out of the training rows, and its figures."""
    stage = "choosing the regularisation"
    report(stage, 0, len(L2_CHOICES))
    tried: list[tuple[float, HeldOut]] = []
    for l2 in L2_CHOICES:
        tried.append((l2, held_out(training, rows, l2)))
        report(stage, len(tried), len(L2_CHOICES))
    return max(tried, key=lambda each: each[1].mean)


def _preferences(outcomes: Sequence[Outcome]) -> Floats:
    return np.array([o.preference for o in outcomes])


def _labels(outcomes: Sequence[Outcome]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """0 strong wins, 1 a tie, 2 weak wins."""
    return np.array([round(2 * (1 - o.preference)) for o in outcomes], dtype=np.int64)


def _halves(model: Any, prefixes: tuple[str, ...]) -> dict[str, Any]:
    """The replaced tensors in 16 bits; config.json's sha256 is over these."""
    return {name: tensor.half().numpy() for name, tensor in model.state_dict().items() if name.startswith(prefixes)}


def _figures(
    l2: float, cross_validated: HeldOut, outcomes: Sequence[Outcome], training_rows: int, validation: Sequence[Outcome], win_rates: Floats
) -> dict[str, Any]:
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
        | {"validation": round(apgr(win_rates, _preferences(validation) - 0.5), 4)},
        "how": (
            f"APGR: area under gap recovered against strong share, over all thresholds; random is 0.5. seen_domains and gsm8k: {FOLDS} "
            f"folds of the training prompts, each fitted without one; unseen_domains: {FOLDS} folds of whole MMLU domains; each the mean "
            "of its folds, at the l2 that did best over the three. How many layers to keep was chosen by the same figures, from 2 to 6. "
            "validation: the shipped weights on the validation split, which neither the fit nor the choices have seen."
        ),
        "threshold_by_strong_share": {str(s): round(float(np.quantile(win_rates, 1 - s)), 5) for s in _STRONG_SHARES},
        "threshold_by_strong_share_how": "Quantiles of the validation split's win rates: exam questions, so not those of other traffic.",
    }


def main() -> int:
    """The command. Progress goes to standard error, the figures (JSON with --json) to standard output."""
    parser = argparse.ArgumentParser(prog="python -m scorers.bert.train", description="Train bert and write a checkpoint directory.")
    parser.add_argument("--data", type=Path, required=True, help="RouteLLM's routellm/evals, or a checkout of RouteLLM")
    parser.add_argument("--out", type=Path, required=True, help="the checkpoint directory to write")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2, help="threads of torch")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    transformers_logging.disable_progress_bar()
    return run_training(lambda report: main_train(arguments.data, arguments.out, arguments.seed, report), as_json=arguments.json)


if __name__ == "__main__":
    sys.exit(main())
