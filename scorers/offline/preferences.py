"""Preferences: which of two models' answers to a prompt somebody liked better. One battle per line of JSON:

    {"prompt": "…", "model_a": "gpt-4-1106-preview", "model_b": "mixtral-8x7b-instruct-v0.1", "winner": "gpt-4-1106-preview"}

`winner` is the name of one of the two, or `tie`. Other keys are left alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Final

from scorers.errors import InvalidData
from scorers.offline.benchmarks import PAIR, Outcome

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
    """Every line's battle, in order. Raises `InvalidData` naming the line and what's wrong, never quoting a prompt."""
    try:
        with file.open(encoding="utf-8") as lines:
            battles = [_battle(f"{file}, line {number}", line) for number, line in enumerate(lines, 1) if line.strip()]
    except OSError as error:
        raise InvalidData(f"{file}: can't be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise InvalidData(f"{file}: not UTF-8.") from None
    if not battles:
        raise InvalidData(f"{file}: no battle is in it.")
    return battles


def battles_of(outcomes: Iterable[Outcome]) -> list[Battle]:
    """Each benchmark prompt as a battle of the strong model against the weak: who alone was right has won."""
    winner = {1.0: PAIR.strong, 0.5: TIE, 0.0: PAIR.weak}
    return [Battle(o.prompt, PAIR.strong, PAIR.weak, winner[o.preference]) for o in outcomes]


def battles_sha256(battles: Sequence[Battle]) -> str:
    """64 hex digits over the battles, whatever their order."""
    lines = sorted(json.dumps(astuple(battle), ensure_ascii=False) for battle in battles)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _battle(where: str, line: str) -> Battle:
    try:
        row = json.loads(line)
    except ValueError:
        raise InvalidData(f"{where}: not JSON.") from None
    if not isinstance(row, dict):
        raise InvalidData(f"{where}: an object is needed.")
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
