"""Tables, headings and links."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

_DOCUMENT: Final = re.compile(r"\bdocs/([\w-]+\.md)")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Its lines; none where it has no rows. Cells are Markdown, in which a `|` is escaped already."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    named = "|".join(f" {name} " if name else " " for name in head)
    return [f"|{named}|", f"|{'---|' * len(head)}", *lines] if lines else []


def line(text: str) -> str:
    """Prose on one line, with a document of docs/ that it names as a link."""
    return _DOCUMENT.sub(r"[\1](\1)", " ".join(text.split()))


def cell(text: str) -> str:
    """The same for a table."""
    return line(text).replace("|", "\\|")


def paragraphs(text: str) -> list[str]:
    """Lines of prose: each paragraph on one, with an empty one after it."""
    return [each for paragraph in re.split(r"\n\s*\n", text.strip()) if paragraph for each in (line(paragraph), "")]


def anchor(heading: str) -> str:
    """What a link to the heading ends in: lower case, spaces as hyphens, punctuation gone."""
    return "#" + re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
