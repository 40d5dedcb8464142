"""The documents that end in a reference have the one that is made today."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.generator.markdown import anchor, cell, paragraphs, table
from docs.generator.pages import PAGES, with_reference


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_reference_is_up_to_date(path: Path) -> None:
    """Else: make reference."""
    text = path.read_text(encoding="utf-8")
    assert with_reference(text, PAGES[path]()) == text


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_no_two_headings_of_a_reference_are_linked_alike(path: Path) -> None:
    """A link would lead to the first of them."""
    headings = [anchor(line.lstrip("# ")) for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    assert len(set(headings)) == len(headings)


def test_what_a_page_says_above_its_reference_stays() -> None:
    """And an old reference goes."""
    once = with_reference("# A page\n\nby hand\n\n", "## Old\n")
    assert once.startswith("# A page\n\nby hand\n")
    assert with_reference(once, "## New\n") == once.replace("Old", "New")


def test_a_heading_is_linked_as_github_links_it() -> None:
    """Lower case, hyphens for spaces, no punctuation but hyphens and underscores."""
    headings = ("To reach a gateway", "StatsResponse.Row", "GET /v1/models/{model_id}", "`code` in x-a")
    assert [anchor(each) for each in headings] == ["#to-reach-a-gateway", "#statsresponserow", "#get-v1modelsmodel_id", "#code-in-x-a"]


def test_prose_stays_inside_its_cell() -> None:
    """On one line, with its bars escaped and a document as a link."""
    assert cell("a | b,\n  see docs/errors.md") == "a \\| b, see [errors.md](errors.md)"
    assert paragraphs(" one\nline\n\nanother ") == ["one line", "", "another", ""]
    assert table(("", "said"), [("`x`", "y")]) == ["| | said |", "|---|---|", "| `x` | y |"]
    assert table(("", "said"), []) == []
