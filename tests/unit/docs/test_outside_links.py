"""What `make test-links` says of what linkcheck found."""

from __future__ import annotations

import pytest

from docs.site.outside import outcome, report


@pytest.mark.parametrize(
    ("status", "info", "expected"),
    [
        ("working", "", "reached"),
        ("redirected", "https://example.org/new", "reached"),
        ("broken", "404 Client Error: Not Found for url: https://example.org/", "gone"),
        ("broken", "Anchor 'setup' not found", "gone"),
        ("broken", "403 Client Error: Forbidden for url: https://example.org/", "not reached"),
        ("broken", "HTTPSConnectionPool(host='example.org', port=443): Max retries exceeded", "not reached"),
        ("timeout", "Read timed out.", "not reached"),
        ("ignored", "service unavailable", "not reached"),
    ],
)
def test_an_outside_link_is_gone_only_where_its_server_says_so(status: str, info: str, expected: str) -> None:
    """From behind a fence nothing can be said of it."""
    assert outcome({"status": status, "info": info}) == expected


def test_the_report_names_what_wasnt_reached_and_fails_for_what_is_gone() -> None:
    """With the file and line of each."""
    link = {"filename": "README.md", "lineno": 4, "uri": "https://example.org/", "status": "timeout", "info": "Read timed out."}
    assert report([link]) == ("not reached: README.md:4 https://example.org/ Read timed out.\n0 reached, 0 gone, 1 not reached\n", 0)
    wrapped = "Max retries exceeded with url: / (Caused by NameResolutionError(\"Failed to resolve 'example.org'\"))"
    assert report([{**link, "info": wrapped}])[0].startswith("not reached: README.md:4 https://example.org/ NameResolutionError\n")
    text, code = report([link, {**link, "status": "broken", "info": "410 Client Error: Gone"}])
    assert code == 1
    assert text.startswith("gone: README.md:4 https://example.org/ 410 Client Error: Gone\n")
