"""`pointsman evaluate`: how well each strategy orders labelled prompts.

    python -m scorers.offline.evaluate --data FILE --strategies mf,random [--url HOST:PORT] [--json] [--plots FOLDER]

Without --url the strategies are built in this process, by the settings; with it a running service is asked.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np
from rich.console import Console

from pointsman.runtime.no_such import no_such_sentence
from pointsman.runtime.settings import Settings
from pointsman.runtime.settings_file import load_settings
from pointsman.runtime.whole_files import written_whole
from scorers.errors import InvalidData
from scorers.offline.arguments import money, names, share, whole_number
from scorers.offline.baselines import baselines
from scorers.offline.command import exit_code, warn
from scorers.offline.evaluation import Evaluation, table
from scorers.offline.labelled import Labelled, load_labelled, repeats
from scorers.offline.metrics import Arithmetic, ExactOrder, with_intervals
from scorers.offline.money import Cost, cost_by_prices, cost_of
from scorers.offline.picture import Drawing, Plotted
from scorers.offline.plots import write_plots
from scorers.offline.progress import counted
from scorers.offline.scored import Scores
from scorers.offline.sources import add_source_options, scored_by_options
from scorers.offline.upstream_metrics import UpstreamOrder

_DRAWS: Final = 1000
_MARKS: Final = (0.2, 0.5, 0.8)
_MOST_MARKS: Final = 9
_ARITHMETICS: Final[Mapping[str, Arithmetic]] = {"exact": ExactOrder, "upstream": UpstreamOrder}
_NO_TERMINAL_WIDTH: Final = 180


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code, as `exit_code` has it. Files are written once every benchmark has been evaluated."""
    options = _parse(arguments)
    errors = Console(stderr=True)
    return exit_code(lambda: _run(options, errors), errors)


def _run(options: argparse.Namespace, errors: Console) -> None:
    settings = load_settings(options.settings)
    cost = _cost(options, settings)
    benchmarks = _chosen(load_labelled(options.data, validation_only=options.split == "validation"), options.benchmarks)
    for name, rows in benchmarks.items():
        if said := repeats((row.prompt for row in rows), ((row.weak, row.strong) for row in rows)):
            warn(errors, f"{name}: {said}")
    found = [_evaluate(name, rows, options, settings, errors) for name, rows in benchmarks.items()]
    if options.plots:
        write_plots(
            options.plots,
            [each.plotted for each in found],
            Drawing(_ARITHMETICS[options.metrics], tuple(dict.fromkeys(options.mark)), cost),
        )
    if options.scores:
        _write_scores(options.scores, {each.plotted.benchmark: each.plotted.scores for each in found})
    if options.json:
        sys.stdout.writelines(json.dumps(each, allow_nan=False) + "\n" for one in found for each in one.as_objects(options.metrics))
    else:
        Console(width=None if sys.stdout.isatty() else _NO_TERMINAL_WIDTH).print(table(found, options.metrics))


def _chosen(found: Mapping[str, list[Labelled]], chosen: Sequence[str] | None) -> Mapping[str, list[Labelled]]:
    if unknown := [name for name in chosen or () if name not in found]:
        raise InvalidData(no_such_sentence("benchmark", unknown[0], found))
    return {name: found[name] for name in chosen or found}


def _cost(options: argparse.Namespace, settings: Settings) -> Cost | None:
    if options.cost:
        return cost_of(*options.cost)
    return cost_by_prices(settings, options.pair, *options.tokens) if options.tokens else None


def _evaluate(benchmark: str, rows: Sequence[Labelled], options: argparse.Namespace, settings: Settings, errors: Console) -> Evaluation:
    scored = scored_by_options([row.prompt for row in rows], f"scoring {benchmark}", options, settings, errors)
    scores = {each.strategy: each.win_rates for each in scored}
    weak, strong = np.array([row.weak for row in rows], np.float64), np.array([row.strong for row in rows], np.float64)
    arithmetic = _ARITHMETICS[options.metrics]
    figures: dict[str, Mapping[str, float]] = {}
    for name, rates in scores.items():
        with counted(f"resampling {benchmark}, {name}", options.draws, errors) as told:
            figures[name] = with_intervals(rates, weak, strong, draws=options.draws, seed=0, arithmetic=arithmetic, progress=told)
    return Evaluation(Plotted(benchmark, scores, weak, strong), figures, baselines(weak, strong, arithmetic))


def _write_scores(file: Path, scores: Mapping[str, Scores]) -> None:
    """JSON Lines: of each benchmark every strategy's win rates, `index` a row's place in it from 0. Raises `OSError`."""
    with written_whole(file) as lines:
        for benchmark, by_strategy in scores.items():
            for name, rates in by_strategy.items():
                for index, rate in enumerate(rates):
                    row = {"benchmark": benchmark, "index": index, "strategy": name, "strong_win_rate": rate}
                    lines.write(f"{json.dumps(row)}\n".encode())


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="pointsman evaluate", description="How well each strategy orders labelled prompts.")
    parser.add_argument(
        "--data", type=Path, required=True, help="CSV, JSON Lines or Parquet (prompt, weak, strong); or RouteLLM's benchmarks"
    )
    parser.add_argument("--benchmarks", type=names, help="of a folder: mmlu, gsm8k, mt_bench; all unless named")
    parser.add_argument("--split", choices=("all", "validation"), default="all", help="validation: the rows that no strategy trains on")
    add_source_options(parser)
    parser.add_argument("--draws", type=whole_number(0), default=_DRAWS, help="resamples for the intervals")
    parser.add_argument("--metrics", choices=tuple(_ARITHMETICS), default="exact", help="upstream: by RouteLLM's own arithmetic")
    parser.add_argument("--plots", type=Path, help="write each benchmark's curves to this folder, as PNG and SVG")
    parser.add_argument(
        "--mark", type=share, nargs="*", default=_MARKS, metavar="SHARE", help="strong shares whose thresholds the plots have (0.2 0.5 0.8)"
    )
    costs = parser.add_mutually_exclusive_group()
    costs.add_argument("--cost", type=money, nargs=2, metavar=("STRONG", "WEAK"), help="what 1,000 requests cost on each tier: plots by it")
    costs.add_argument(
        "--tokens", type=whole_number(0), nargs=2, metavar=("PROMPT", "ANSWER"), help="or a request's mean tokens, by the settings' prices"
    )
    parser.add_argument("--pair", default="default", help="whose prices --tokens goes by")
    parser.add_argument("--scores", type=Path, help="also write every win rate to this file, as JSON Lines")
    parser.add_argument("--json", action="store_true", help="JSON Lines on standard output, one object per strategy and benchmark")
    options = parser.parse_args(arguments)
    _check(parser, options)
    return options


def _check(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Before hours of scoring, what would fail after them."""
    if options.scores and options.scores.exists():
        parser.error(f"--scores: {options.scores} exists already")
    if options.scores and not options.scores.absolute().parent.is_dir():
        parser.error(f"--scores: {options.scores.parent} isn't a folder")
    if len(options.mark) > _MOST_MARKS:
        parser.error(f"--mark: at most {_MOST_MARKS} strong shares fit below a plot")
    if options.plots and options.plots.exists() and not options.plots.is_dir():
        parser.error(f"--plots: {options.plots} isn't a folder")
    if options.plots and not find_spec("matplotlib"):
        parser.error("--plots: matplotlib isn't installed (pip install --group offline, in the checkout)")


if __name__ == "__main__":
    sys.exit(main())
