"""Preferences: which of two models' answers to a prompt somebody liked better. A battle is a line of JSON, or a row of Parquet:

    {"prompt": "…", "model_a": "gpt-4-1106-preview", "model_b": "mixtral-8x7b-instruct-v0.1", "winner": "gpt-4-1106-preview"}

`winner` is the name of one of the two, or `tie`. Other keys are left alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Final

from scorers.errors import InvalidData
from scorers.offline.benchmarks import PAIR, Outcome
from scorers.router import ModelPair

TIE: Final = "tie"
_FIELDS: Final = ("prompt", "model_a", "model_b", "winner")


@dataclass(frozen=True, slots=True)
class Battle:
    """One prompt, the two models that answered it, and the winner's name or `tie`."""

    prompt: str
    model_a: str
    model_b: str
    winner: str


def load_battles(file: Path) -> list[Battle]:
    """Every battle, in order. Raises `InvalidData` naming the line or row and what's wrong, never quoting a prompt."""
    try:
        battles = _from_parquet(file) if file.suffix.lower() == ".parquet" else _from_lines(file)
    except OSError as error:
        raise InvalidData(f"{file}: can't be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise InvalidData(f"{file}: not UTF-8.") from None
    if not battles:
        raise InvalidData(f"{file}: no battle is in it.")
    return battles


def outcomes_of(battles: Iterable[Battle], pair: ModelPair) -> list[Outcome]:
    """The battles between the pair, whichever came first, as outcomes; those of other models are left out. In a tie both were right."""
    return [
        Outcome("preferences", "preferences", b.prompt, b.winner in (pair.strong, TIE), b.winner in (pair.weak, TIE))
        for b in battles
        if {b.model_a, b.model_b} == {pair.strong, pair.weak}
    ]


def battles_of(outcomes: Iterable[Outcome]) -> list[Battle]:
    """Each benchmark prompt as a battle of the strong model against the weak: who alone was right has won."""
    winner = {1.0: PAIR.strong, 0.5: TIE, 0.0: PAIR.weak}
    return [Battle(o.prompt, PAIR.strong, PAIR.weak, winner[o.preference]) for o in outcomes]


def battles_sha256(battles: Sequence[Battle]) -> str:
    """64 hex digits over the battles, whatever their order."""
    lines = sorted(json.dumps(astuple(battle), ensure_ascii=False) for battle in battles)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _from_lines(file: Path) -> list[Battle]:
    with file.open(encoding="utf-8") as lines:
        return [_battle(where, _object(where, line)) for where, line in _numbered(file, lines) if line.strip()]


def _numbered(file: Path, lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    return ((f"{file}, line {number}", line) for number, line in enumerate(lines, 1))


def _object(where: str, line: str) -> Mapping[str, Any]:
    try:
        row = json.loads(line)
    except ValueError:
        raise InvalidData(f"{where}: not JSON.") from None
    if not isinstance(row, dict):
        raise InvalidData(f"{where}: an object is needed.")
    return row


def _from_parquet(file: Path) -> list[Battle]:
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(file) as table:
            if missing := [field for field in _FIELDS if field not in table.schema_arrow.names]:
                raise InvalidData(f"{file}: no column {', '.join(missing)}.")
            rows = (row for batch in table.iter_batches(columns=list(_FIELDS)) for row in batch.to_pylist())
            return [_battle(f"{file}, row {number}", row) for number, row in enumerate(rows, 1)]
    except ArrowException as error:
        raise InvalidData(f"{file}: not a Parquet file: {str(error).splitlines()[0]}") from None


def _battle(where: str, row: Mapping[str, Any]) -> Battle:
    for field in _FIELDS:
        if not isinstance(row.get(field), str):
            raise InvalidData(f"{where}: {field}: a text is needed.")
    battle = Battle(*(row[field] for field in _FIELDS))
    if battle.model_a == battle.model_b:
        raise InvalidData(f"{where}: model_a and model_b are the same model.")
    if TIE in (battle.model_a, battle.model_b):
        raise InvalidData(f"{where}: no model can be named {TIE!r}.")
    if battle.winner not in (battle.model_a, battle.model_b, TIE):
        raise InvalidData(f"{where}: winner: neither of the two models nor {TIE!r}.")
    return battle
