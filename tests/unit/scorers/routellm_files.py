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


def write_mt_bench(folder: Path, *, dropped: int | None = None) -> Path:
    """Four questions of two turns, whose weak answers get 5 - n and 6 - n; `dropped` has its second turn on the list. The folder."""
    mt_bench = folder / "mt_bench"
    mt_bench.mkdir()
    questions = [{"question_id": n, "category": "x", "turns": [f"question {n}", f"and then {n}"]} for n in range(4)]
    judgements = [
        {"question_id": n, "model": model, "judge": ["gpt-4", "single-v1"], "score": score + turn - 1, "turn": turn}
        for n in range(4)
        for model, score in (("gpt-4-1106-preview", 8.5), ("mistralai/Mixtral-8x7B-Instruct-v0.1", 5 - n))
        for turn in (1, 2)
    ]
    contaminated = [] if dropped is None else [{"eval_prompt": f"and then {dropped}", "train_prompt": "x"}]
    for name, rows in (("question", questions), ("judgements", judgements), ("contaminated_prompts", contaminated)):
        (mt_bench / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return mt_bench
