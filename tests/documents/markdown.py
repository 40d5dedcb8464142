"""What the tracked Markdown files have: links, headings' anchors, and code, in the text and in blocks."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import Final
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.token import Token

from docs.generator.markdown import anchor
from tests.documents.blocks import ROOT

_PARSER: Final = MarkdownIt("commonmark").enable("table")


@cache
def tracked() -> tuple[str, ...]:
    """Every file that git tracks, by its path from the root."""
    return tuple(subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines())


@cache
def folders() -> frozenset[str]:
    """Every folder that has a tracked file, at any depth."""
    return frozenset(path[:end] for path in tracked() for end in (match.start() for match in re.finditer("/", path)))


def markdown_files() -> list[str]:
    """The tracked ones."""
    return [path for path in tracked() if path.endswith(".md")]


def links(file: str) -> list[str]:
    """Where links and images lead, as a browser reads it."""
    found = []
    for token in _tokens(file):
        if token.type in ("html_inline", "html_block"):
            found += re.findall(r'(?:href|src)="([^"]+)"', token.content)
        elif target := token.attrGet("href") or token.attrGet("src"):
            found.append(unquote(str(target)))
    return found


@cache
def anchors(file: str) -> frozenset[str]:
    """By which headings can be linked to; the second of a name ends in `-1`."""
    found: set[str] = set()
    blocks = _blocks(file)
    for opening, text in pairwise(blocks):
        if opening.type == "heading_open":
            said = "".join(each.content for each in text.children or [])
            name = anchor(said).removeprefix("#")
            suffixes = ["", *(f"-{number}" for number in range(1, len(blocks)))]
            found.add(next(name + suffix for suffix in suffixes if name + suffix not in found))
    return frozenset(found)


def code(file: str) -> Iterator[str]:
    """Each piece of code in the text, and each line of a block of it."""
    for token in _tokens(file):
        if token.type in ("code_inline", "fence", "code_block"):
            yield from token.content.splitlines()


@cache
def _blocks(file: str) -> list[Token]:
    return _PARSER.parse((ROOT / file).read_text(encoding="utf-8"))


def _tokens(file: str) -> Iterator[Token]:
    for token in _blocks(file):
        yield from token.children or [token]
