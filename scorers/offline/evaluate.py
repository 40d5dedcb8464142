"""`pointsman evaluate`: how well each strategy orders labelled prompts.

    python -m scorers.offline.evaluate --data FILE --strategies mf,random [--url HOST:PORT] [--json] [--plots FOLDER]

Without --url the strategies are built in this process, by the settings; with it a running service is asked.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pointsman.client import RouteError
from pointsman.runtime.errors import PointsmanError
from pointsman.runtime.settings_file import SettingsError, load_settings
from scorers.errors import InvalidData
from scorers.offline.baselines import Baselines, baselines
from scorers.offline.labelled import Labelled, load_labelled
from scorers.offline.metrics import Arithmetic, ExactOrder, with_intervals
from scorers.offline.plots import Plotted, write_plots
from scorers.offline.progress import counted
from scorers.offline.scoring import Scores, score_by_service, score_here
from scorers.offline.upstream_metrics import UpstreamOrder

_DRAWS: Final = 1000
_SHOWN: Final = ("apgr", "cpt20", "cpt50", "cpt80", "auc")
_ARITHMETICS: Final[Mapping[str, Arithmetic]] = {"exact": ExactOrder, "upstream": UpstreamOrder}
_NO_TERMINAL_WIDTH: Final = 180


@dataclass(frozen=True, slots=True)
class _Result:
    """Of one benchmark; `figures` by strategy, with their intervals."""

    plotted: Plotted
    figures: Mapping[str, Mapping[str, float]]
    baselines: Baselines


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0, 1 where scoring failed, 2 for wrong arguments, data or settings."""
    options = _parse(arguments)
    errors = Console(stderr=True)
    try:
        benchmarks = _chosen(load_labelled(options.data, validation_only=options.split == "validation"), options.benchmarks)
        results = [_evaluate(name, rows, options, errors) for name, rows in benchmarks.items()]
        if options.plots:
            write_plots(options.plots, [each.plotted for each in results], _ARITHMETICS[options.metrics])
    except (SettingsError, PointsmanError, RouteError) as error:
        errors.print(str(error), style="red", markup=False, soft_wrap=True, highlight=False)
        return 1 if isinstance(error, RouteError) else 2
    if options.json:
        sys.stdout.writelines(json.dumps(each, allow_nan=False) + "\n" for result in results for each in _objects(result, options.metrics))
    else:
        Console(width=None if sys.stdout.isatty() else _NO_TERMINAL_WIDTH).print(_table(results, options.metrics))
    return 0


def _chosen(found: Mapping[str, list[Labelled]], names: Sequence[str] | None) -> Mapping[str, list[Labelled]]:
    if unknown := [name for name in names or () if name not in found]:
        raise InvalidData(f"No benchmark is named {unknown[0]!r} here; there are: {', '.join(found)}.")
    return {name: found[name] for name in names or found}


def _evaluate(benchmark: str, rows: Sequence[Labelled], options: argparse.Namespace, errors: Console) -> _Result:
    scores = _scores(benchmark, [row.prompt for row in rows], options, errors)
    if options.scores:
        _write_scores(options.scores, scores)
    weak, strong = np.array([row.weak for row in rows], np.float64), np.array([row.strong for row in rows], np.float64)
    arithmetic = _ARITHMETICS[options.metrics]
    return _Result(
        Plotted(benchmark, scores, weak, strong),
        {name: with_intervals(rates, weak, strong, draws=options.draws, seed=0, arithmetic=arithmetic) for name, rates in scores.items()},
        baselines(weak, strong, arithmetic),
    )


def _scores(benchmark: str, prompts: Sequence[str], options: argparse.Namespace, errors: Console) -> Scores:
    with counted(f"scoring {benchmark}", len(prompts) * len(options.strategies), errors) as told:
        if options.url:
            return score_by_service(options.strategies, prompts, options.url, options.concurrency, told)
        return score_here(options.strategies, prompts, load_settings(options.settings), told)


def _write_scores(file: Path, scores: Scores) -> None:
    """JSON Lines; a later benchmark's rows are added to an earlier one's."""
    with file.open("a", encoding="utf-8") as lines:
        for name, rates in scores.items():
            lines.writelines(json.dumps({"index": i, "strategy": name, "strong_win_rate": rate}) + "\n" for i, rate in enumerate(rates))


def _objects(result: _Result, metrics: str) -> list[Any]:
    """For JSON, one for each strategy."""
    base, n = result.baselines, len(result.plotted.weak)
    head = {"benchmark": result.plotted.benchmark, "n": n, "strong": base.always_strong, "weak": base.always_weak, "metrics": metrics}
    return [_without_nan({"strategy": name, **head, **figures, "baselines": base.as_fields()}) for name, figures in result.figures.items()]


def _without_nan(value: Any) -> Any:
    """JSON has no NaN and no infinity: a figure that there isn't is null."""
    if isinstance(value, Mapping):
        return {name: _without_nan(each) for name, each in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _table(results: Sequence[_Result], metrics: str) -> Table:
    title = "95 % bootstrap intervals in brackets" + ("; RouteLLM's arithmetic" if metrics == "upstream" else "")
    table = Table("benchmark", "strategy", "n", "quality", *_SHOWN, title=title)
    for each in results:
        head, n = escape(each.plotted.benchmark), str(len(each.plotted.weak))
        for name, found in each.figures.items():
            cells = [f"{found[figure]:.3f} [{found[figure + '_low']:.3f}, {found[figure + '_high']:.3f}]" for figure in _SHOWN]
            table.add_row(head, escape(name), n, "", *cells)
        for name in ("oracle", "random_order"):
            found = asdict(getattr(each.baselines, name))
            table.add_row(head, name, n, "", *(f"{found[figure]:.3f}" for figure in _SHOWN), style="dim")
        for name in ("always_weak", "always_strong", "best_single"):
            table.add_row(head, name, n, f"{getattr(each.baselines, name):.4f}", style="dim")
        table.add_section()
    return table


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="pointsman evaluate", description="How well each strategy orders labelled prompts.")
    parser.add_argument(
        "--data", type=Path, required=True, help="CSV, JSON Lines or Parquet (prompt, weak, strong); or RouteLLM's benchmarks"
    )
    parser.add_argument("--benchmarks", type=lambda text: text.split(","), help="of a folder: mmlu, gsm8k, mt_bench; all unless named")
    parser.add_argument("--split", choices=("all", "validation"), default="all", help="validation: the rows that no strategy trains on")
    parser.add_argument("--strategies", type=lambda text: text.split(","), required=True, help="names, joined by commas")
    parser.add_argument("--url", help="a running service's gRPC address; without it the strategies are built here")
    parser.add_argument("--concurrency", type=int, default=8, help="prompts asked at once of a service")
    parser.add_argument("--settings", type=Path, help="the settings file, for strategies that are built here")
    parser.add_argument("--draws", type=int, default=_DRAWS, help="resamples for the intervals")
    parser.add_argument("--metrics", choices=tuple(_ARITHMETICS), default="exact", help="upstream: by RouteLLM's own arithmetic")
    parser.add_argument("--plots", type=Path, help="write each benchmark's curves to this folder, as PNG and SVG")
    parser.add_argument("--scores", type=Path, help="also write every win rate to this file, as JSON Lines")
    parser.add_argument("--json", action="store_true", help="JSON Lines on standard output, one object per strategy and benchmark")
    options = parser.parse_args(arguments)
    if options.scores and options.scores.exists():
        parser.error(f"--scores: {options.scores} exists already")
    if options.plots and options.plots.exists() and not options.plots.is_dir():
        parser.error(f"--plots: {options.plots} isn't a folder")
    if options.plots and not find_spec("matplotlib"):
        parser.error("--plots: matplotlib isn't installed (pip install --group offline, in the checkout)")
    return options


if __name__ == "__main__":
    sys.exit(main())
