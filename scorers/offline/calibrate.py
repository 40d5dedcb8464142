"""`pointsman calibrate`: turns strong shares, or a budget, into thresholds for the checkpoint that serves.

    python -m scorers.offline.calibrate --data FILE --strategies mf,bert [--strong-share 0.3] [--url HOST:PORT] [--out records]

Without --url the strategies are built in this process, by the settings; with it a running service is asked. The records say what
part of the sample each threshold sends to strong; other traffic has other win rates, so calibrate on your own.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from pointsman.runtime.model_string import percent
from pointsman.runtime.records import CalibratedShare, CalibrationRecord, now, write_record
from pointsman.runtime.settings_file import load_settings
from scorers.errors import InvalidData
from scorers.offline.arguments import money, share, whole_number
from scorers.offline.command import exit_code, warn
from scorers.offline.labelled import repeats
from scorers.offline.money import cost_of
from scorers.offline.prompts import load_prompts
from scorers.offline.scored import Scored
from scorers.offline.sources import add_source_options, scored_by_options

SHARES: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_QUANTILES: Final = 1001
_DIGITS: Final = 9  # sw_ranking's win rates may lie within 0.02 of each other
_INTERVAL: Final = (0.025, 0.975)


def calibrated(scored: Scored, prompts: Sequence[str], data: str, shares: Sequence[float], *, draws: int, seed: int) -> CalibrationRecord:
    """The record of one strategy's win rates for the prompts. Raises `InvalidData` where they can't tell prompts apart."""
    rates = np.array(scored.win_rates, dtype=np.float64)
    if len(rates) < 2:
        raise InvalidData(f"{len(rates)} prompts are too few to calibrate on.")
    if np.ptp(rates) == 0:
        raise InvalidData(f"{scored.strategy} gives every prompt the same win rate, so no threshold parts them.")
    quantiles = np.quantile(rates, np.linspace(0, 1, min(_QUANTILES, len(rates))))
    return CalibrationRecord(
        strategy=scored.strategy,
        checkpoint=scored.checkpoint,
        embedder=scored.embedder,
        data=data,
        data_sha256=prompts_sha256(prompts),
        sample_size=len(rates),
        created=now(),
        quantiles=tuple(np.round(quantiles, _DIGITS).tolist()),
        thresholds=_with_intervals(rates, shares, draws=draws, seed=seed),
    )


def prompts_sha256(prompts: Sequence[str]) -> str:
    """64 hex digits over the prompts, whatever their order."""
    return hashlib.sha256(json.dumps(sorted(prompts)).encode()).hexdigest()


def _with_intervals(rates: NDArray[np.float64], shares: Sequence[float], *, draws: int, seed: int) -> tuple[CalibratedShare, ...]:
    """Each share's threshold with its 95 % percentile bootstrap interval over `draws` resamples of the prompts."""
    draw = np.random.default_rng(seed)
    asked = 1 - np.asarray(shares, dtype=np.float64)
    ordered = np.sort(rates)
    found = np.quantile(ordered, asked)
    low, high = np.array([np.quantile(_resampled(ordered, level, draws, draw), _INTERVAL) for level in asked]).T
    columns = (np.round(column, _DIGITS).tolist() for column in (found, low, high))
    return tuple(
        CalibratedShare(strong_share=share, threshold=threshold, threshold_low=below, threshold_high=above)
        for share, threshold, below, above in zip(shares, *columns, strict=True)
    )


def _resampled(ordered: NDArray[np.float64], level: float, draws: int, draw: np.random.Generator) -> NDArray[np.float64]:
    """The quantile in `draws` resamples (draws,), drawn as itself, so that the work doesn't grow with the sample.

    It lies between a resample's order statistics k and k + 1. The places of a resample's rows are uniform draws, and of n of those the
    k-th smallest has the distribution Beta(k, n - k + 1); the next one is the smallest of n - k draws above it.
    """
    n = len(ordered)
    below, part = divmod(level * (n - 1), 1)
    first = draw.beta(below + 1, n - below, draws)
    after = n - 1 - below
    second = first + (1 - first) * (draw.beta(1, after, draws) if after else 0)
    at_first, at_second = (ordered[np.minimum((place * n).astype(np.int64), n - 1)] for place in (first, second))
    between: NDArray[np.float64] = at_first + part * (at_second - at_first)
    return between


def share_of_budget(spend: float, strong: float, weak: float) -> float:
    """The strong share that costs `spend` per 1,000 requests, where they cost `strong` or `weak`. Raises `InvalidData` outside of it."""
    cost_of(strong, weak)
    if not weak <= spend <= strong:
        raise InvalidData(f"--spend: {spend:g} is outside of what routing can cost, {weak:g} (all weak) to {strong:g} (all strong).")
    return (spend - weak) / (strong - weak)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code, as `exit_code` has it. Records are written once all are made."""
    options = _parse(arguments)
    errors = Console(stderr=True)
    return exit_code(lambda: _run(options, errors), errors)


def _run(options: argparse.Namespace, errors: Console) -> None:
    shares = _shares(options)
    settings = load_settings(options.settings)
    data, prompts = load_prompts(options.data, validation_only=options.split == "validation")
    if said := repeats(prompts):
        warn(errors, f"{data}: {said}")
    scored = scored_by_options(prompts, "scoring", options, settings, errors)
    records = [calibrated(each, prompts, data, shares, draws=options.draws, seed=0) for each in scored]
    files = _written(options.out or settings.records_dir, records)
    _show(records, files, as_json=options.json)


def _written(folder: Path, records: Sequence[CalibrationRecord]) -> list[Path]:
    try:
        return [write_record(folder, record) for record in records]
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from None


def _shares(options: argparse.Namespace) -> list[float]:
    if options.spend is None:
        return sorted(set(options.strong_share))
    if not options.cost:
        raise InvalidData("--spend needs --cost STRONG WEAK: what 1,000 requests cost on each tier.")
    return [share_of_budget(options.spend, *options.cost)]


def _show(records: Sequence[CalibrationRecord], files: Sequence[Path], *, as_json: bool) -> None:
    if as_json:
        for record, file in zip(records, files, strict=True):
            sys.stdout.write(json.dumps({"file": str(file), **record.model_dump(mode="json", exclude={"quantiles"})}) + "\n")
        return
    table = Table("strategy", "strong share", "threshold", "95 % interval")
    for record in records:
        for each in record.thresholds:
            interval = f"{each.threshold_low:.5f} to {each.threshold_high:.5f}"
            table.add_row(record.strategy, f"{percent(each.strong_share)} %", f"{each.threshold:.5f}", interval)
    console = Console()
    console.print(table)
    for file in files:
        console.print(f"written: {file}", soft_wrap=True, highlight=False)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="pointsman calibrate", description="Turn strong shares, or a budget, into thresholds.")
    parser.add_argument("--data", type=Path, required=True, help="prompts: CSV, JSON Lines or Parquet with a column prompt")
    parser.add_argument("--split", choices=("all", "validation"), default="all", help="of RouteLLM's benchmarks: rows nothing trains on")
    add_source_options(parser)
    parser.add_argument("--strong-share", type=share, nargs="+", default=list(SHARES), help="0 to 1; the record serves any other too")
    parser.add_argument("--spend", type=money, help="what 1,000 requests may cost; needs --cost")
    parser.add_argument("--cost", type=money, nargs=2, metavar=("STRONG", "WEAK"), help="what 1,000 requests cost on each tier")
    parser.add_argument("--out", type=Path, help="where records go; the settings' records_dir unless named")
    parser.add_argument("--draws", type=whole_number(1), default=1000, help="resamples for the intervals")
    parser.add_argument("--json", action="store_true", help="JSON Lines on standard output, one object per record")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
