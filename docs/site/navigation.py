"""The site's pages and their order, as navigation.toml has them. The tests read it too, so it needs no package."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
HOME: Final = "README"
"""The first page."""


@dataclass(frozen=True, slots=True)
class Part:
    """A heading of the navigation, and the pages below it: paths from the repository's root, without `.md`."""

    name: str
    pages: tuple[str, ...]


def parts() -> list[Part]:
    """Those that have a page, in order."""
    listed: dict[str, list[str]] = tomllib.loads((Path(__file__).parent / "navigation.toml").read_text(encoding="utf-8"))
    placed = {HOME}
    found = []
    for name, patterns in listed.items():
        pages = [page for pattern in patterns for page in _new(pattern, placed)]
        if pages:
            found.append(Part(name, tuple(pages)))
    return found


def pages() -> list[str]:
    """All of them, the first one first."""
    return [HOME, *(page for part in parts() for page in part.pages)]


def _new(pattern: str, placed: set[str]) -> Iterator[str]:
    for path in sorted(ROOT.glob(f"{pattern}.md")):
        page = path.relative_to(ROOT).with_suffix("").as_posix()
        if page not in placed:
            placed.add(page)
            yield page
