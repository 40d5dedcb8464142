"""The site's navigation has every page. That it builds without a warning is `make site`, a part of `make test`."""

from __future__ import annotations

from docs.site.navigation import HOME, pages, parts
from tests.documents.markdown import markdown_files


def test_every_markdown_file_is_a_page_of_the_navigation() -> None:
    """Once; else: a line in docs/site/navigation.toml."""
    listed = pages()
    assert len(listed) == len(set(listed))
    assert {path.removesuffix(".md") for path in markdown_files()} - set(listed) == set()


def test_the_first_page_is_the_readme_and_each_part_has_some() -> None:
    """In the order in which people need them."""
    assert pages()[0] == HOME
    assert all(part.pages for part in parts())
    names = [part.name for part in parts()]
    assert names.index("Start") < names.index("Choosing a threshold") < names.index("Operating") < names.index("Reference")
