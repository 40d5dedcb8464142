"""A small data set in RouteLLM's layout, in which one word decides who is right."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path

from scorers.offline.benchmarks import STRONG_COLUMN, WEAK_COLUMN

CONTAMINATED = "a hard prompt that was trained on elsewhere"


def write_files(folder: Path, *, per_domain: int = 12) -> None:
    """Nine MMLU domains and GSM8K, four rows per `per_domain`: `hard` prompts are strong wins, `easy` ones ties, `odd` ones weak wins."""
    draw = random.Random(0)
    (folder / "mmlu" / "responses").mkdir(parents=True)
    (folder / "gsm8k").mkdir()
    for benchmark, file in [("mmlu", f"responses/mmlu_domain{i}.csv") for i in range(9)] + [("gsm8k", "gsm8k_responses.csv")]:
        rows = [
            (f"{kind} {file} {i} {draw.random()}", kind != "odd", kind != "hard")
            for i in range(per_domain)
            for kind in ("hard", "hard", "easy", "odd")
        ]
        _write(folder / benchmark / file, [*rows, (CONTAMINATED, True, False)])
    for benchmark in ("mmlu", "gsm8k"):
        line = json.dumps({"train_prompt": "…", "eval_prompt": CONTAMINATED})
        (folder / benchmark / "contaminated_prompts.jsonl").write_text(line + "\n")


def _write(file: Path, rows: list[tuple[str, bool, bool]]) -> None:
    with file.open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(["prompt", WEAK_COLUMN, STRONG_COLUMN])
        writer.writerows((prompt, weak, strong) for prompt, strong, weak in rows)
