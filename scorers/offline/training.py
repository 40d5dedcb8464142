"""What every training command does: its arguments, progress on standard error, the result on standard output, errors in a sentence."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from scorers.offline.benchmarks import PAIR
from scorers.offline.command import exit_code

Report = Callable[[str, int, int], None]
"""Hears the stage's name, how much of it is done and how much there is."""


@dataclass(frozen=True, slots=True)
class TrainReport:
    """What was written: the checkpoint's version, its directory, and the content of `figures.json`."""

    checkpoint: str
    out: str
    figures: dict[str, Any]


def training_parser(strategy: str, description: str) -> argparse.ArgumentParser:
    """The arguments that every training takes; a strategy adds its own."""
    parser = argparse.ArgumentParser(prog=f"pointsman train {strategy}", description=description)
    parser.add_argument(
        "--data", type=Path, required=True, help="RouteLLM's routellm/evals or a checkout of it, or a .jsonl or .parquet of preferences"
    )
    parser.add_argument("--out", type=Path, required=True, help="the checkpoint directory to write")
    parser.add_argument("--seed", type=int, default=0, help="the same seed and data give the same checkpoint")
    parser.add_argument("--strong", default=PAIR.strong, help="the strong model's name in the preferences")
    parser.add_argument("--weak", default=PAIR.weak, help="the weak model's")
    parser.add_argument(
        "--work", type=Path, help="where a run that is cut off goes on from; a folder beside --out, until it's done, if not named"
    )
    parser.add_argument("--threads", type=int, default=2, help="threads of the CPU")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    return parser


def run_training(train: Callable[[Report], TrainReport], *, as_json: bool) -> int:
    """Trains and gives the exit code, as `exit_code` has it; what goes wrong is a sentence on standard error."""
    errors = Console(stderr=True)

    def run() -> None:
        trained = _with_progress(train, errors)
        if as_json:
            sys.stdout.write(json.dumps(asdict(trained)) + "\n")
        else:
            Console().print_json(data=asdict(trained))

    return exit_code(run, errors)


def _with_progress(train: Callable[[Report], TrainReport], errors: Console) -> TrainReport:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=errors) as progress:
        tasks: dict[str, TaskID] = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(stage, total=total)
            progress.update(tasks[stage], completed=done, total=total)

        return train(report)
