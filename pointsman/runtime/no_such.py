"""What to say of a name that nobody has."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_SHOWN = 64


def no_such(kind: str, name: str, known: Iterable[str]) -> str:
    """`no strategy is named 'fm' (did you mean 'mf'?); there are: bert, mf`."""
    there = sorted(known)
    near = difflib.get_close_matches(name[:_SHOWN], there, n=1)
    meant = f" (did you mean {near[0]!r}?)" if near else ""
    return f"no {kind} is named {name[:_SHOWN]!r}{meant}; there are: {', '.join(there) or 'none'}"


def no_such_sentence(kind: str, name: str, known: Iterable[str]) -> str:
    """The same as a sentence."""
    said = no_such(kind, name, known)
    return f"{said[0].upper()}{said[1:]}."
