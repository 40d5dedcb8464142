"""`pointsman evaluate`: how well each strategy orders labelled prompts.

    python -m scorers.offline.evaluate --data FILE --strategies mf,random [--url HOST:PORT] [--json] [--scores FILE]

Without --url the strategies are built in this process, by the settings; with it a running service is asked.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from pointsman.client import RouteError
from pointsman.runtime.errors import PointsmanError
from pointsman.runtime.settings_file import SettingsError, load_settings
from scorers.errors import InvalidData
from scorers.offline.labelled import Labelled, load_labelled
from scorers.offline.metrics import with_intervals
from scorers.offline.scoring import Scores, score_by_service, score_here

_DRAWS: Final = 1000
_SHOWN: Final = ("apgr", "cpt20", "cpt50", "cpt80", "auc")


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0, 1 where scoring failed, 2 for wrong arguments, data or settings."""
    options = _parse(arguments)
    errors = Console(stderr=True)
    try:
        benchmarks = _chosen(load_labelled(options.data, validation_only=options.split == "validation"), options.benchmarks)
        results = [each for name, rows in benchmarks.items() for each in _evaluate(name, rows, options, errors)]
    except (SettingsError, PointsmanError, RouteError) as error:
        errors.print(f"[red]{error}[/red]", soft_wrap=True, highlight=False)
        return 1 if isinstance(error, RouteError) else 2
    if options.json:
        sys.stdout.writelines(json.dumps(each) + "\n" for each in results)
    else:
        Console().print(_table(results))
    return 0


def _chosen(found: Mapping[str, list[Labelled]], names: Sequence[str] | None) -> Mapping[str, list[Labelled]]:
    if unknown := [name for name in names or () if name not in found]:
        raise InvalidData(f"No benchmark is named {unknown[0]!r} here; there are: {', '.join(found)}.")
    return {name: found[name] for name in names or found}


def _evaluate(benchmark: str, rows: Sequence[Labelled], options: argparse.Namespace, errors: Console) -> list[dict[str, Any]]:
    scores = _scores(benchmark, [row.prompt for row in rows], options, errors)
    if options.scores:
        _write_scores(options.scores, scores)
    weak, strong = np.array([row.weak for row in rows]), np.array([row.strong for row in rows])
    return [
        {
            "strategy": name,
            "benchmark": benchmark,
            "n": len(rows),
            "strong": float(strong.mean()),
            "weak": float(weak.mean()),
            **with_intervals(rates, weak, strong, draws=options.draws, seed=0),
        }
        for name, rates in scores.items()
    ]


def _scores(benchmark: str, prompts: Sequence[str], options: argparse.Namespace, errors: Console) -> Scores:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors) as progress:
        task = progress.add_task(f"scoring {benchmark}", total=len(prompts) * len(options.strategies))

        def told(done: int) -> None:
            progress.update(task, completed=done)

        if options.url:
            return score_by_service(options.strategies, prompts, options.url, options.concurrency, told)
        return score_here(options.strategies, prompts, load_settings(options.settings), told)


def _write_scores(file: Path, scores: Scores) -> None:
    """JSON Lines; a later benchmark's rows are added to an earlier one's."""
    with file.open("a", encoding="utf-8") as lines:
        for name, rates in scores.items():
            lines.writelines(json.dumps({"index": i, "strategy": name, "strong_win_rate": rate}) + "\n" for i, rate in enumerate(rates))


def _table(results: Sequence[Mapping[str, Any]]) -> Table:
    table = Table("benchmark", "strategy", "n", "weak", "strong", *_SHOWN, title="95 % bootstrap intervals in brackets")
    for each in results:
        figures = [f"{each[name]:.3f} [{each[name + '_low']:.3f}, {each[name + '_high']:.3f}]" for name in _SHOWN]
        table.add_row(each["benchmark"], each["strategy"], str(each["n"]), f"{each['weak']:.4f}", f"{each['strong']:.4f}", *figures)
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
    parser.add_argument("--scores", type=Path, help="also write every win rate to this file, as JSON Lines")
    parser.add_argument("--json", action="store_true", help="JSON Lines on standard output, one object per strategy and benchmark")
    options = parser.parse_args(arguments)
    if options.scores and options.scores.exists():
        parser.error(f"--scores: {options.scores} exists already")
    return options


if __name__ == "__main__":
    sys.exit(main())
