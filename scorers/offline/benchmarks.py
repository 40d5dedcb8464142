"""RouteLLM's benchmark files: which of two models answered which prompt right.

Layout, as in RouteLLM's `routellm/evals`: `mmlu/responses/mmlu_<domain>.csv` and `gsm8k/gsm8k_responses.csv`, each with a
`contaminated_prompts.jsonl` whose `eval_prompt`s are left out. MT Bench isn't read here: nothing may be
trained on it (`mt_bench.py` reads it, for evaluation).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scorers.errors import InvalidData
from scorers.offline.rows import is_text, json_rows, rows_of
from scorers.router import ROUTELLM_PAIR

STRONG_COLUMN: Final = "gpt-4-1106-preview"
WEAK_COLUMN: Final = "mistralai/Mixtral-8x7B-Instruct-v0.1"
PAIR: Final = ROUTELLM_PAIR
VALIDATION_SHARE: Final = 0.1
VALIDATION_SALT: Final = "validation"
"""The split that no strategy trains on, the same for all: `split(outcomes, VALIDATION_SHARE, VALIDATION_SALT)`."""
_FOLDERS: Final = ("", "benchmarks", "routellm/evals", "evals")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One prompt and what became of it. `domain` is MMLU's, or `gsm8k`."""

    benchmark: str
    domain: str
    prompt: str
    strong_right: bool
    weak_right: bool

    @property
    def preference(self) -> float:
        """1: only the strong model was right; 0: only the weak; 0.5: a tie."""
        return 0.5 + (self.strong_right - self.weak_right) / 2


def load_outcomes(path: Path) -> list[Outcome]:
    """Every outcome under `path` (that folder, or a checkout of RouteLLM), in a fixed order. Raises `InvalidData`."""
    folder = benchmarks_folder(path)
    mmlu = sorted((folder / "mmlu" / "responses").glob("mmlu_*.csv"))
    outcomes = [o for file in mmlu for o in _read(file, "mmlu", file.stem.removeprefix("mmlu_"))]
    outcomes += _read(folder / "gsm8k" / "gsm8k_responses.csv", "gsm8k", "gsm8k")
    contaminated = _contaminated(folder / "mmlu") | _contaminated(folder / "gsm8k")
    return [o for o in outcomes if o.prompt not in contaminated]


def data_sha256(outcomes: Iterable[Outcome]) -> str:
    """64 hex digits over prompts and outcomes, whatever their order."""
    lines = sorted(json.dumps([o.prompt, o.strong_right, o.weak_right], ensure_ascii=False) for o in outcomes)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def prompt_fraction(prompt: str, salt: str) -> float:
    """A fixed draw from [0, 1) for a prompt: the same prompt falls on the same side of every split."""
    digest = hashlib.sha256(f"{salt}\0{prompt}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64


def split(outcomes: Sequence[Outcome], share: float, salt: str) -> tuple[list[Outcome], list[Outcome]]:
    """The rest, and about `share` of the prompts; no prompt is in both."""
    rest = [o for o in outcomes if prompt_fraction(o.prompt, salt) >= share]
    return rest, [o for o in outcomes if prompt_fraction(o.prompt, salt) < share]


def benchmarks_folder(path: Path) -> Path:
    """The folder of the benchmarks in `path`, which may be a checkout of RouteLLM. Raises `InvalidData`."""
    for name in _FOLDERS:
        if (path / name / "mmlu" / "responses").is_dir() and (path / name / "gsm8k").is_dir():
            return path / name
    raise InvalidData(f"{path}: neither RouteLLM's routellm/evals nor a checkout of it (mmlu/responses and gsm8k aren't there).")


def _read(file: Path, benchmark: str, domain: str) -> Iterator[Outcome]:
    for where, row in rows_of(file, ["prompt", STRONG_COLUMN, WEAK_COLUMN]):
        if not is_text(row["prompt"]):
            raise InvalidData(f"{where}: prompt isn't UTF-8.")
        yield Outcome(benchmark, domain, row["prompt"], _right(where, row[STRONG_COLUMN]), _right(where, row[WEAK_COLUMN]))


def _right(where: str, text: str | None) -> bool:
    if text not in ("True", "False"):
        raise InvalidData(f"{where}: an outcome is True or False, not {str(text)[:20]!r}.")
    return text == "True"


def _contaminated(folder: Path) -> set[str]:
    file = folder / "contaminated_prompts.jsonl"
    try:
        found = [row.get("eval_prompt") for row in json_rows(file)]
    except OSError as error:
        raise InvalidData(f"{file}: can't be read: {error.strerror}") from None
    if not all(isinstance(prompt, str) for prompt in found):
        raise InvalidData(f"{file}: not a list of prompts: each line needs eval_prompt.")
    return {str(prompt) for prompt in found}
