"""A checkout to type in: the tracked files, and the files that the commands of the guides name, made up."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from tests.documents.blocks import ROOT

_ROWS = 400


def checkout(folder: Path) -> None:
    """Fills the folder."""
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    for name in tracked:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)
    (folder / ".venv").symlink_to(sys.prefix)
    for name in ("sample.csv", "prompts.csv"):
        _write(folder / name, ({"prompt": prompt} for prompt in prompts()))
    _write(folder / "labelled.csv", ({"prompt": prompt, "weak": int(i % 5 > 0), "strong": 1} for i, prompt in enumerate(prompts())))
    preferences = [
        {"prompt": prompt, "model_a": "large-2026", "model_b": "small-2026", "winner": ("large-2026", "small-2026")[i % 3 == 0]}
        for i, prompt in enumerate(prompts())
    ]
    pd.DataFrame(preferences).to_parquet(folder / "battles.parquet")


def settings(backend: int, folder: Path) -> dict[str, Any]:
    """Of the service that the guides' commands and programs speak to, on the default ports."""
    tier = {"base_url": f"http://127.0.0.1:{backend}/v1", "prices": {"prompt_per_million": 1, "completion_per_million": 2}}
    return {
        "gateway": {"rest_port": 6060, "grpc_port": 50051, "controllers": ["127.0.0.1:50052"], "drain_s": 2},
        "controller": {"grpc_port": 50052, "metrics_port": 50053, "drain_s": 2},
        "strategies": {"mf": {}, "bert": {}, "random": {}},
        "backends": {"strong": {**tier, "model": "big"}, "weak": {**tier, "model": "small"}},
        "records_dir": str(folder / "records"),
    }


def prompts() -> Iterator[str]:
    """Made-up ones."""
    for number in range(_ROWS):
        what = ("What is", "Explain", "Prove", "Translate", "Summarise")[number % 5]
        yield f"{what} the {number}. thing " + "and the next " * (number % 17)


def _write(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    first = next(rows)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(first))
        writer.writeheader()
        writer.writerows([first, *rows])
