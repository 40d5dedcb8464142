"""Trains bert on preference data and writes its checkpoint: `pointsman train bert --data … --out …`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from transformers.utils import logging as transformers_logging

from scorers.batching import alike, padded
from scorers.bert.base import BASE_ID, base_folder, empty_model, load_base
from scorers.bert.card import card
from scorers.bert.classifier import read_tokenizer
from scorers.bert.config import BertConfig
from scorers.bert.fit import fit_classes
from scorers.bert.pooling import Floats, features, pool_by_mean, replaced, set_classifier, strong_win_rates
from scorers.bert.window import Window
from scorers.checkpoint import write_checkpoint
from scorers.offline.benchmarks import PAIR, Outcome
from scorers.offline.figures import how_held_out, rounded, thresholds
from scorers.offline.logistic import choose_l2, fit_vector
from scorers.offline.metrics import apgr
from scorers.offline.resume import resumed_rows, work_folder
from scorers.offline.training import Report, TrainReport, run_training, training_parser
from scorers.offline.training_data import load_training_data
from scorers.router import ModelPair

L2_CHOICES: Final = (1.0, 2.0, 4.0)
_LAYERS: Final = 4
_MAX_TOKENS: Final = 256  # what the base was made with
_BATCH: Final = 32


def main_train(
    data: Path,
    out: Path,
    seed: int,
    report: Report,
    *,
    pair: ModelPair = PAIR,
    layers: int = _LAYERS,
    device: str = "cpu",
    work: Path | None = None,
) -> TrainReport:
    """Fits on every training row (all but the fixed validation split) and writes the checkpoint to `out`. Raises `InvalidData`.

    Of the base, `layers` - 1 layers are kept. The fit leaves nothing to chance; `seed` is only recorded.
    """
    found = load_training_data(data, pair)
    model = empty_model(layers)
    base_sha256 = load_base(model, replaced(layers))
    pool_by_mean(model)
    rows = _read(model, [o.prompt for o in found.outcomes], report, f"{base_sha256} {layers} {_MAX_TOKENS}", work, device)
    train_rows, validation_rows = rows[: len(found.training)], rows[len(found.training) :]

    l2, held_out = choose_l2(found.training, train_rows, L2_CHOICES, report)
    report("fitting", 0, 1)
    u = fit_vector(train_rows, _preferences(found.training), l2)
    scale, intercepts = fit_classes(train_rows @ u, _labels(found.training))
    set_classifier(model, scale * u, intercepts)
    report("fitting", 1, 1)
    win_rates = strong_win_rates(model, validation_rows)
    content = {
        "rows": found.rows(),
        "l2": l2,
        "apgr": rounded({**held_out, "validation": apgr(win_rates, _preferences(found.validation) - 0.5)}),
        "how": f"{how_held_out(benchmarks=found.benchmarks, chosen='l2')} {_HOW}",
        **thresholds(win_rates, benchmarks=found.benchmarks),
    }
    config = {
        "strategy": "bert",
        "name": f"bert-{BASE_ID.lower()}",
        "base": {"id": BASE_ID, "sha256": base_sha256},
        "layers": layers,
        "replaced": replaced(layers),
        "max_tokens": _MAX_TOKENS,
        "strong": pair.strong,
        "weak": pair.weak,
        "data_sha256": found.sha256,
        "seed": seed,
        "created": datetime.now(UTC).date().isoformat(),
    }
    made = card(config, content, benchmarks=found.benchmarks)
    written = write_checkpoint(out, BertConfig, config, _halves(model, replaced(layers)), content, made)
    return TrainReport(written.version, str(out), content)


_HOW: Final = (
    "How many layers to keep was chosen on RouteLLM's benchmark files by the same figures, from 2 to 6. validation: the shipped weights on "
    "the validation split, which neither the fit nor the choices have seen."
)


def _read(model: Any, prompts: Sequence[str], report: Report, over: str, work: Path | None, device: str) -> Floats:
    """The model's features (n, dim), a row per prompt. The model is on the CPU before and after."""
    stage = "reading prompts"
    report(stage, 0, len(prompts))
    window = Window(read_tokenizer(base_folder()), max_tokens=_MAX_TOKENS, keeps="head and tail")
    compute = partial(_features, model.to(device), window, device)
    rows = resumed_rows(prompts, compute, over=over, work=work, report=lambda done: report(stage, done, len(prompts)))
    model.to("cpu")
    return rows


@torch.inference_mode()
def _features(model: Any, window: Window, device: str, prompts: Sequence[str], told: Callable[[int], None]) -> Floats:
    ids = [tokens.ids for tokens in window.read(prompts)]
    rows, done = np.empty((len(ids), model.config.hidden_size)), 0
    for batch in alike([len(each) for each in ids], most=_BATCH):
        tokens, mask = padded([ids[i] for i in batch], model.config.pad_token_id)
        rows[batch] = features(model, tokens.to(device), mask.to(device))
        told(done := done + len(batch))
    return rows


def _preferences(outcomes: Sequence[Outcome]) -> Floats:
    return np.array([o.preference for o in outcomes])


def _labels(outcomes: Sequence[Outcome]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """0 strong wins, 1 a tie, 2 weak wins."""
    return np.array([round(2 * (1 - o.preference)) for o in outcomes], dtype=np.int64)


def _halves(model: Any, prefixes: tuple[str, ...]) -> dict[str, Any]:
    """The replaced tensors in 16 bits; config.json's sha256 is over these."""
    return {name: tensor.half().numpy() for name, tensor in model.state_dict().items() if name.startswith(prefixes)}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Progress goes to standard error, the figures (JSON with --json) to standard output."""
    parser = training_parser("bert", "Train bert and write a checkpoint directory.")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where the encoder runs (cuda wasn't measured)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    transformers_logging.disable_progress_bar()
    device = ("cuda" if torch.cuda.is_available() else "cpu") if options.device == "auto" else options.device
    pair = ModelPair(options.strong, options.weak)

    def train(report: Report) -> TrainReport:
        with work_folder(options.out, options.work) as work:
            return main_train(options.data, options.out, options.seed, report, pair=pair, device=device, work=work)

    return run_training(train, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
