"""Links in Markdown lead somewhere. Those to other hosts are asked on purpose: make test-links."""

from __future__ import annotations

import posixpath
import re

import pytest

from tests.documents.markdown import anchors, folders, links, markdown_files, tracked

_OUTSIDE = re.compile(r"[a-z]+:")


@pytest.mark.parametrize("file", markdown_files())
def test_every_link_leads_somewhere(file: str) -> None:
    """To a file or folder that git tracks, and where it names a heading, to that."""
    assert [link for link in links(file) if not _OUTSIDE.match(link) and not _leads_somewhere(file, link)] == []


def _leads_somewhere(file: str, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = posixpath.normpath(posixpath.join(posixpath.dirname(file), path)) if path else file
    if anchor:
        return target in markdown_files() and anchor in anchors(target)
    return target in tracked() or target in folders()


def test_links_are_found_in_every_form_that_markdown_has() -> None:
    """README has some in tables, in lists and in the text."""
    assert {"docs/errors.md", "scorers/mf/checkpoint/README.md", "protos"} <= set(links("README.md"))
    assert "#to-reach-a-gateway" in links("docs/command.md")


def test_a_heading_is_linked_to_by_its_words() -> None:
    """Code in it counts as its text; punctuation doesn't count."""
    assert {"to-reach-a-gateway", "pointsman-keys-new", "every-command-and-option"} <= anchors("docs/command.md")
