"""Labelled prompts: what each of two models made of them. CSV, JSON Lines or Parquet (`prompt, weak, strong`), or RouteLLM's files."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scorers.errors import InvalidData
from scorers.offline.benchmarks import VALIDATION_SALT, VALIDATION_SHARE, benchmarks_folder, load_outcomes, split
from scorers.offline.mt_bench import load_mt_bench

_NEEDED = ("prompt", "weak", "strong")
_TRUE = {"true": 1.0, "false": 0.0}


@dataclass(frozen=True, slots=True)
class Labelled:
    """One prompt with both outcomes: right or wrong as 1 or 0, or any score where more is better."""

    prompt: str
    weak: float
    strong: float


def load_labelled(path: Path, *, validation_only: bool = False) -> Mapping[str, list[Labelled]]:
    """Rows by benchmark: a file is one, named by its stem; a folder of RouteLLM's layout is `mmlu`, `gsm8k` and, where it's there,
    `mt_bench`. Of MMLU and GSM8K `validation_only` leaves the rows that no strategy trains on.

    Raises `InvalidData` naming file, row (the first is 1) and field.
    """
    if path.is_dir():
        return _of_folder(path, validation_only=validation_only)
    if validation_only:
        raise InvalidData(f"{path}: only a folder of RouteLLM's benchmarks has a validation split.")
    rows = [_labelled(where, row) for where, row in rows_of(path, _NEEDED)]
    return {path.stem: rows}


def rows_of(path: Path, needed: Sequence[str]) -> list[tuple[str, Mapping[str, Any]]]:
    """A file's rows, each with where it stands; columns beside those `needed` are left alone. Raises `InvalidData`, also for no row."""
    readers = {".csv": _csv_rows, ".jsonl": _json_rows, ".ndjson": _json_rows, ".parquet": _parquet_rows}
    if path.suffix.lower() not in readers:
        raise InvalidData(f"{path}: a .csv, .jsonl or .parquet file, or a folder of RouteLLM's benchmarks, is needed.")
    try:
        with closing(readers[path.suffix.lower()](path, needed)) as raw:
            rows = [(f"{path}: row {number}", row) for number, row in enumerate(raw, 1)]
    except OSError as error:
        raise InvalidData(f"{path}: can't be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise InvalidData(f"{path}: not UTF-8 at byte {error.start}.") from None
    if not rows:
        raise InvalidData(f"{path}: has no rows.")
    return rows


def _of_folder(path: Path, *, validation_only: bool) -> Mapping[str, list[Labelled]]:
    outcomes = load_outcomes(path)
    if validation_only:
        outcomes = split(outcomes, VALIDATION_SHARE, VALIDATION_SALT)[1]
    found: dict[str, list[Labelled]] = {}
    for outcome in outcomes:
        found.setdefault(outcome.benchmark, []).append(Labelled(outcome.prompt, outcome.weak_right, outcome.strong_right))
    if (questions := benchmarks_folder(path) / "mt_bench").is_dir():
        found["mt_bench"] = [Labelled(judged.prompt, judged.weak, judged.strong) for judged in load_mt_bench(questions)]
    return found


def _parquet_rows(path: Path, needed: Sequence[str]) -> Generator[Mapping[str, Any], None, None]:
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path) as table:
            _check_columns(path, table.schema_arrow.names, needed)
            for batch in table.iter_batches(columns=list(needed)):
                yield from batch.to_pylist()
    except ArrowException as error:
        raise InvalidData(f"{path}: not a Parquet file: {str(error).splitlines()[0]}") from None


def _csv_rows(path: Path, needed: Sequence[str]) -> Generator[Mapping[str, Any], None, None]:
    """Strictly: a quote that nothing closes would otherwise take the rest of the file for one field, without a word."""
    where = "header"
    with path.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.DictReader(lines, strict=True)
        try:
            _check_columns(path, reader.fieldnames or (), needed)
            where = "row 1"
            for number, row in enumerate(reader, 1):
                if None in row:
                    raise InvalidData(f"{path}: row {number}: more fields than columns; a field with a comma in it needs quotes.")
                yield row
                where = f"row {number + 1}"
        except csv.Error as error:
            said = "a quote is never closed" if str(error) == "unexpected end of data" else str(error)
            raise InvalidData(f"{path}: {where}: {said}.") from None


def _json_rows(path: Path, needed: Sequence[str]) -> Generator[Mapping[str, Any], None, None]:
    with path.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise InvalidData(f"{path}: line {number}: not JSON: {error}.") from None
            if not isinstance(row, dict):
                raise InvalidData(f"{path}: line {number}: not an object.")
            yield row


def _check_columns(path: Path, columns: Iterable[str], needed: Sequence[str]) -> None:
    names = list(columns)
    if missing := [name for name in needed if name not in names]:
        there = ", ".join(name if name.isprintable() else repr(name) for name in names)
        raise InvalidData(f"{path}: no column {', '.join(missing)}; there are: {there or 'none'}.")
    if twice := [name for name in needed if names.count(name) > 1]:
        raise InvalidData(f"{path}: more than one column {twice[0]}.")


def _labelled(where: str, row: Mapping[str, Any]) -> Labelled:
    return Labelled(prompt_of(where, row), _number(where, "weak", row.get("weak")), _number(where, "strong", row.get("strong")))


def prompt_of(where: str, row: Mapping[str, Any]) -> str:
    """The row's prompt. Raises `InvalidData` where there is none."""
    prompt = row.get("prompt")
    if not isinstance(prompt, str) or not prompt.strip():
        raise InvalidData(f"{where}: prompt is empty or not text.")
    if "\0" in prompt:
        raise InvalidData(f"{where}: prompt has a NUL byte.")
    return prompt


def _number(where: str, name: str, value: Any) -> float:
    text = str(value).strip().lower()
    try:
        number = _TRUE[text] if text in _TRUE else float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InvalidData(f"{where}: {name} is {text[:40]!r}; a number, true or false is needed.")
    return number
