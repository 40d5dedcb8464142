"""Prompts from a file: CSV, JSON Lines, or one a line."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pointsman.cli.exits import USAGE, CommandFailed

_COLUMN: Final = "prompt"
_LONGEST_FIELD: Final = 2**27


def read_prompts(file: Path) -> list[str]:
    """The file's prompts in their order; `-` is standard input, which is JSON Lines where it begins with a brace. At least one.

    Raises `CommandFailed` naming the line that is wrong.
    """
    named = "standard input" if str(file) == "-" else str(file)
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise CommandFailed(f"{named}: can't be read: {error.strerror}", USAGE) from None
    except UnicodeDecodeError:
        raise CommandFailed(f"{named}: not UTF-8; save it as UTF-8", USAGE) from None
    if file.suffix == ".csv":
        prompts = list(_of_csv(named, text))
    elif file.suffix in (".jsonl", ".ndjson") or (str(file) == "-" and text.lstrip().startswith("{")):
        prompts = list(_of_json_lines(named, text))
    else:
        prompts = [line for line in text.split("\n") if line.strip()]
    if not prompts:
        raise CommandFailed(f"{named}: there is no prompt in it; it takes one a line, or a column {_COLUMN!r} (.csv, .jsonl)", USAGE)
    return prompts


def _of_csv(named: str, text: str) -> Iterator[str]:
    csv.field_size_limit(_LONGEST_FIELD)
    rows = csv.DictReader(io.StringIO(text, newline=""))
    if _COLUMN not in (rows.fieldnames or ()):
        raise CommandFailed(f"{named}:1: there is no column {_COLUMN!r}; there are: {', '.join(rows.fieldnames or ())}", USAGE)
    try:
        for row in rows:
            if not row[_COLUMN]:
                raise CommandFailed(f"{named}:{rows.line_num}: the {_COLUMN} is empty; remove the row", USAGE)
            yield row[_COLUMN]
    except csv.Error as error:
        raise CommandFailed(f"{named}:{rows.line_num}: {error}", USAGE) from None


def _of_json_lines(named: str, text: str) -> Iterator[str]:
    # Not splitlines: JSON may hold other line ends of Unicode as they are.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise CommandFailed(f"{named}:{number}: not JSON: {error}", USAGE) from None
        if not isinstance(row, dict) or not isinstance(row.get(_COLUMN), str):
            raise CommandFailed(f"{named}:{number}: not an object with a text {_COLUMN!r}", USAGE)
        yield row[_COLUMN]
