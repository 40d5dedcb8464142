"""Prompts alone, without what became of them: a sample of one's own traffic."""

from __future__ import annotations

from pathlib import Path

from scorers.errors import InvalidData
from scorers.offline.labelled import is_folder, load_labelled, prompt_of
from scorers.offline.rows import rows_of


def load_prompts(path: Path, *, validation_only: bool = False) -> tuple[str, list[str]]:
    """What the sample is called, and its prompts: of a file, or of RouteLLM's MMLU and GSM8K together.

    Raises `InvalidData` naming file, row (the first is 1) and what is wrong.
    """
    if not is_folder(path):
        if validation_only:
            raise InvalidData(f"{path}: only a folder of RouteLLM's benchmarks has a validation split.")
        return path.name, [prompt_of(where, row) for where, row in rows_of(path, ["prompt"])]
    benchmarks = load_labelled(path, validation_only=validation_only)
    chosen = [name for name in benchmarks if name != "mt_bench"]
    part = ", validation split" if validation_only else ""
    return f"{' and '.join(chosen)}{part}", [row.prompt for name in chosen for row in benchmarks[name]]
