"""How often a certificate's promise is broken, and how soon drift is noticed. On purpose, not in CI:

    .venv/bin/python -m benchmarks.certificates --data DIR [--draws 1000] [--out benchmarks/certificates.md]

DIR is a folder of RouteLLM's benchmark files. Win rates are sw_ranking's, out of fold: each prompt's by a table without its fold's battles.
Labels are drawn from MMLU with replacement, so that MMLU is the population and the true loss of a threshold is known.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from pointsman.calibration.certifying import Label, certify, grid_of
from pointsman.calibration.drift import Drift
from pointsman.calibration.quantiles import quantile
from pointsman.runtime.controller_settings import ControllerSettings
from scorers.embedding.embedder import DEFAULT_EMBEDDER
from scorers.embedding.options import embedder_named
from scorers.offline.benchmarks import PAIR, load_outcomes, prompt_fraction
from scorers.offline.metrics import apgr
from scorers.offline.preferences import TIE, Battle
from scorers.offline.resume import embedded as embedded_texts
from scorers.sw_ranking.battles import embedded
from scorers.sw_ranking.config import SWConfig
from scorers.sw_ranking.model import Weighing

_FOLDS: Final = 10
_DELTA: Final = 0.05
_SIZES: Final = (300, 1000, 3000)
_LOSSES: Final = (0.01, 0.02, 0.03, 0.05)
_WINDOWS: Final = (250, 500, 1000)
_STREAM: Final = 5000
_CONFIG: Final = Path(__file__).parents[1] / "scorers/sw_ranking/checkpoint/config.json"


def main() -> None:
    """Prints the tables, and writes them where --out says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--work", type=Path, help="where embeddings are kept for another run")
    options = parser.parse_args()
    mmlu, gsm8k = out_of_fold(options.data, options.work)
    lines = [*_header(options.draws, mmlu, gsm8k), *_certificates(mmlu, options.draws), *_drift(mmlu, gsm8k, options.draws)]
    print("\n".join(lines))
    if options.out:
        options.out.write_text("\n".join(lines) + "\n")


def out_of_fold(data: Path, work: Path | None) -> tuple[list[Label], list[Label]]:
    """MMLU's labels and GSM8K's."""
    outcomes = load_outcomes(data)
    winner = {1.0: PAIR.strong, 0.0: PAIR.weak, 0.5: TIE}
    vectors = embedded_texts(embedder_named(DEFAULT_EMBEDDER, threads=2), [o.prompt for o in outcomes], lambda *_: None, work)
    battles = embedded(
        [Battle(o.prompt, PAIR.strong, PAIR.weak, winner[o.preference]) for o in outcomes],
        vectors,
        PAIR,
        2,
    )
    fold = np.array([int(prompt_fraction(o.prompt, "certificates") * _FOLDS) for o in outcomes])
    weighing, rates = Weighing(SWConfig.model_validate_json(_CONFIG.read_bytes()).weight_base), np.empty(len(outcomes))
    for number in range(_FOLDS):
        held_out = fold == number
        rates[held_out] = battles.where(~held_out).ranking(weighing).win_rates(battles.vectors[held_out])
    labels = [Label(rate, float(o.strong_right), float(o.weak_right)) for rate, o in zip(rates.tolist(), outcomes, strict=True)]
    of = {name: [label for label, o in zip(labels, outcomes, strict=True) if o.benchmark == name] for name in ("mmlu", "gsm8k")}
    return of["mmlu"], of["gsm8k"]


def true_loss(population: Sequence[Label], threshold: float) -> float:
    """Over all of it."""
    return sum(label.loss(threshold) for label in population) / len(population)


def _header(draws: int, mmlu: Sequence[Label], gsm8k: Sequence[Label]) -> list[str]:
    orders = [_order(mmlu), _order(gsm8k)]
    return [
        "# Certificates and drift, simulated",
        "",
        f"    .venv/bin/python -m benchmarks.certificates --data DIR --draws {draws} --out benchmarks/certificates.md",
        "",
        f"{time.strftime('%Y-%m-%d')}. The population: {len(mmlu):,} prompts of MMLU, sw_ranking's win rates out of {_FOLDS} folds (APGR "
        f"{orders[0]:.3f}); strong alone is right on {_right(mmlu, strong=True):.1%}, weak alone on {_right(mmlu, strong=False):.1%}. "
        f"The shift: {len(gsm8k)} prompts of GSM8K (APGR {orders[1]:.3f}).",
    ]


def _order(labels: Sequence[Label]) -> float:
    return apgr(np.array([each.strong_win_rate for each in labels]), np.array([each.strong - each.weak for each in labels]))


def _right(labels: Sequence[Label], *, strong: bool) -> float:
    return statistics.fmean(each.strong if strong else each.weak for each in labels)


def _certificates(population: Sequence[Label], draws: int) -> list[str]:
    grid = grid_of([label.strong_win_rate for label in population])
    losses = {threshold: true_loss(population, threshold) for threshold in grid}
    rows = [
        "",
        f"## How often the promise is broken: {draws:,} redraws each, δ = {_DELTA}",
        "",
        "| labels | ε | true loss above ε | weak share, mean | nothing certified | largest weak share whose true loss is at most ε |",
        "|---|---|---|---|---|---|",
    ]
    with ProcessPoolExecutor() as pool:
        for size in _SIZES:
            for limit in _LOSSES:
                found = list(pool.map(partial(_certified, population, grid, size, limit), range(draws), chunksize=25))
                broken = sum(threshold is not None and losses[threshold] > limit for threshold in found)
                shares = [_weak_share(population, threshold) for threshold in found]
                best = max((_weak_share(population, each) for each in grid if losses[each] <= limit), default=0.0)
                none = sum(threshold is None for threshold in found)
                rows.append(
                    f"| {size:,} | {limit} | {broken / draws:.1%} | {statistics.fmean(shares):.1%} | {none / draws:.1%} | {best:.1%} |"
                )
                print(rows[-1], flush=True)
    return rows


def _certified(population: Sequence[Label], grid: Sequence[float], size: int, limit: float, seed: int) -> float | None:
    found = certify(random.Random(seed).choices(population, k=size), grid, limit, _DELTA)
    return found.threshold if found else None


def _weak_share(population: Sequence[Label], threshold: float | None) -> float:
    return 0.0 if threshold is None else sum(label.strong_win_rate < threshold for label in population) / len(population)


def _drift(mmlu: Sequence[Label], gsm8k: Sequence[Label], draws: int) -> list[str]:
    limit = ControllerSettings().drift_limit
    rows = [
        "",
        f"## How soon drift is noticed: certificates of 1,000 prompts of MMLU, then {_STREAM:,} requests of MMLU, then GSM8K; "
        f"drift_limit {limit}, {draws // 5} runs",
        "",
        "| drift_window | false alarms per 10,000 requests | runs with one | requests until the alarm, median | 95 % | most | never |",
        "|---|---|---|---|---|---|---|",
    ]
    with ProcessPoolExecutor() as pool:
        for window in _WINDOWS:
            runs = list(pool.map(partial(_run, mmlu, gsm8k, window, limit), range(draws // 5), chunksize=5))
            alarms, delays = [run[0] for run in runs], sorted(run[1] for run in runs)
            found = [delay for delay in delays if delay < _STREAM]
            rows.append(
                f"| {window:,} | {sum(alarms) / len(runs) / _STREAM * 10_000:.2f} | {sum(map(bool, alarms)) / len(runs):.1%} | "
                f"{quantile(delays, 0.5):.0f} | {quantile(delays, 0.95):.0f} | {found[-1] if found else '-'} | {len(delays) - len(found)} |"
            )
            print(rows[-1], flush=True)
    return rows


def _run(mmlu: Sequence[Label], gsm8k: Sequence[Label], window: int, limit: float, seed: int) -> tuple[int, int]:
    """How many alarms began before the shift, and after how many requests of it there was one."""
    draw = random.Random(seed)
    sample = sorted(label.strong_win_rate for label in draw.choices(mmlu, k=1000))
    drift = Drift([quantile(sample, place / 100) for place in range(101)], window)
    alarms, past = 0, False
    for label in draw.choices(mmlu, k=_STREAM):
        drift.add(label.strong_win_rate)
        before, past = past, drift.is_past(limit)
        alarms += past and not before
    for count, label in enumerate(draw.choices(gsm8k, k=_STREAM), 1):
        drift.add(label.strong_win_rate)
        if drift.is_past(limit):
            return alarms, count
    return alarms, _STREAM


if __name__ == "__main__":
    main()
