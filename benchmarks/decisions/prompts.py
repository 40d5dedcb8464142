"""What is asked: files of prompts that all differ."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Final

from benchmarks.scorers.timing import texts

KINDS: Final = ("16 words", "64 words", "mixed")
_COUNT: Final = 4096
_FROM, _TO = 4, 200


def write(kind: str, folder: Path) -> Path:
    """A prompt per line, each word one token; `mixed` has 4 to 200 words, as many prompts of 4 to 8 as of 8 to 16, and so on."""
    path = folder / f"{kind.replace(' ', '-')}.txt"
    draw = random.Random(1)
    lengths = [int(_FROM * (_TO / _FROM) ** draw.random()) for _ in range(_COUNT)] if kind == "mixed" else [int(kind.split()[0])] * _COUNT
    lines = [f"{number} {text}" for number, text in enumerate(_of(lengths))]
    path.write_text("\n".join(lines) + "\n")
    return path


def _of(lengths: list[int]) -> list[str]:
    longest = texts(max(lengths), len(lengths))
    return [" ".join(text.split()[:length]) for text, length in zip(longest, lengths, strict=True)]
