"""What is asked under load."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

_TEXT: Final = "explain compare summarise list translate prove why how what river engine law budget cell music theorem market planet"
_LENGTH: Final = 40


def from_file(path: Path) -> Iterator[str]:
    """The file's lines over and over. Raises `OSError`, `UnicodeDecodeError`, and `ValueError` for a file without a line."""
    lines = [line for line in path.read_text().splitlines() if line.strip()]
    if not lines:
        raise ValueError(f"{path} has no prompt: it takes one per line")
    return itertools.cycle(lines)


def made(words: int = _LENGTH) -> Iterator[str]:
    """Prompts of `words` words, each different from all others, so that no cache answers them."""
    of = _TEXT.split()
    return (_prompt(number, of, words) for number in itertools.count())


def _prompt(number: int, of: Sequence[str], words: int) -> str:
    return f"{number} " + " ".join(of[(number * 7 + place * place) % len(of)] for place in range(words - 1))
