"""Callers' names as labels."""

from __future__ import annotations

from pointsman.runtime.callers import CallerNames


def test_names_are_labels_until_there_are_too_many() -> None:
    """Those that were first keep theirs; nobody at all is no name."""
    names = CallerNames(most=2)
    assert [names.label(each) for each in ("a", "b", "", "c", "a", "c")] == ["a", "b", "", "other", "a", "other"]
