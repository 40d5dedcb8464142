"""Rows of a data file: CSV, JSON Lines or Parquet, read strictly, one after the other, with where each one stands."""

from __future__ import annotations

import csv
import json
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from scorers.errors import InvalidData

Row = tuple[str, Mapping[str, Any]]
"""Where it stands, as `FILE: row 1`, and its fields."""
_GZIP: Final = b"\x1f\x8b"
_LONGEST_FIELD: Final = 1 << 30
"""Characters. The csv module's own limit, 131,072, is below a long document."""


def rows_of(path: Path, needed: Sequence[str]) -> Iterator[Row]:
    """A file's rows; columns beside those `needed` are left alone.

    Raises `InvalidData` naming the file and the row (the first is 1), also for a file without one. Bytes that aren't UTF-8 come as lone
    surrogates, which `is_text` finds: so the row is known that has them, and they don't matter in a column that isn't needed.
    """
    readers = {".csv": _csv_rows, ".jsonl": json_rows, ".ndjson": json_rows, ".parquet": _parquet_rows}
    number = 0
    try:
        if _is_gzip(path):
            raise InvalidData(f"{path}: is compressed; unpack it first (gunzip).")
        if path.suffix.lower() not in readers:
            raise InvalidData(f"{path}: a .csv, .jsonl or .parquet file, or a folder of RouteLLM's benchmarks, is needed.")
        for number, row in enumerate(readers[path.suffix.lower()](path, needed), 1):
            yield f"{path}: row {number}", row
    except OSError as error:
        raise InvalidData(f"{path}: can't be read: {error.strerror or str(error).splitlines()[0]}.") from None
    if not number:
        raise InvalidData(f"{path}: has no rows.")


def is_text(value: object) -> bool:
    """Whether it's a string that UTF-8 can hold: no lone surrogate, from bytes that aren't UTF-8 or from a JSON escape."""
    if not isinstance(value, str):
        return False
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def json_rows(path: Path, needed: Sequence[str] = ()) -> Generator[Mapping[str, Any], None, None]:
    """Objects, one a line; empty lines don't count. Raises `InvalidData`, `OSError`. What is `needed` is for the caller to look for."""
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line, object_pairs_hook=_once_each)
            except (ValueError, RecursionError) as error:
                said = f"not JSON: {error}" if is_text(line) else "not UTF-8"
                raise InvalidData(f"{path}: line {number}: {said}.") from None
            if not isinstance(row, dict):
                raise InvalidData(f"{path}: line {number}: not an object.")
            yield row


def _csv_rows(path: Path, needed: Sequence[str]) -> Generator[Mapping[str, Any], None, None]:
    """Strictly: a quote that nothing closes would otherwise take the rest of the file for one field, without a word."""
    where = "header"
    csv.field_size_limit(_LONGEST_FIELD)
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as lines:
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


def _parquet_rows(path: Path, needed: Sequence[str]) -> Generator[Mapping[str, Any], None, None]:
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path) as table:
            _check_columns(path, table.schema_arrow.names, needed)
            before = 0
            for batch in table.iter_batches(columns=list(needed)):
                yield from _batch_rows(path, batch, before)
                before += batch.num_rows
    except ArrowException as error:
        raise InvalidData(f"{path}: not a Parquet file: {str(error).splitlines()[0]}") from None


def _batch_rows(path: Path, batch: Any, before: int) -> list[Mapping[str, Any]]:
    try:
        rows: list[Mapping[str, Any]] = batch.to_pylist()
    except UnicodeDecodeError:
        for place in range(batch.num_rows):
            try:
                batch.slice(place, 1).to_pylist()
            except UnicodeDecodeError:
                raise InvalidData(f"{path}: row {before + place + 1}: not UTF-8.") from None
        raise
    return rows


def _check_columns(path: Path, columns: Iterable[str], needed: Sequence[str]) -> None:
    names = list(columns)
    if not all(is_text(name) for name in names):
        raise InvalidData(f"{path}: header: not UTF-8.")
    if missing := [name for name in needed if name not in names]:
        there = ", ".join(name if name.isprintable() and name == name.strip() else repr(name) for name in names)
        raise InvalidData(f"{path}: no column {', '.join(missing)}; there are: {_shortened(there) or 'none'}.")
    if twice := [name for name in needed if names.count(name) > 1]:
        raise InvalidData(f"{path}: more than one column {twice[0]}.")


def _shortened(text: str) -> str:
    """A file without a header has a prompt there."""
    return text if len(text) <= 200 else f"{text[:200]}…"


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key comes twice in an object")
    return found


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as opened:
        return opened.read(2) == _GZIP
