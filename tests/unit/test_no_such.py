"""What is said of a name that nobody has."""

from __future__ import annotations

from pointsman.runtime.no_such import no_such, no_such_sentence


def test_the_nearest_name_is_asked_for_and_all_are_listed() -> None:
    """In one sentence, whatever the order of the names."""
    said = no_such_sentence("strategy", "bret", ["mf", "bert"])
    assert said == "No strategy is named 'bret' (did you mean 'bert'?); there are: bert, mf."


def test_where_nothing_is_near_or_nothing_is_there_it_says_so() -> None:
    """And a long name is cut."""
    assert no_such("pair", "x" * 100, ["default"]) == f"no pair is named {'x' * 64!r}; there are: default"
    assert no_such("policy", "a", []) == "no policy is named 'a'; there are: none"
