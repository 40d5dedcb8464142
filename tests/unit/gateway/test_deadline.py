"""What a caller may ask for as its deadline."""

from __future__ import annotations

import pytest

from gateway.deadline import Deadline, asked_timeout
from pointsman.runtime.errors import InvalidRequest


@pytest.mark.parametrize(("said", "seconds"), [(None, 600.0), ("1", 1.0), ("0.25", 0.25), (".5", 0.5), ("2.", 2.0), ("86400", 86_400.0)])
def test_the_header_says_seconds_and_the_settings_speak_where_it_doesnt(said: str | None, seconds: float) -> None:
    """Decimals are fine."""
    assert asked_timeout(said, 600) == seconds


@pytest.mark.parametrize("said", ["", "0", "0.0", "-1", "+1", "1e3", "nan", "inf", "1 ", "1s", "86401", "٣", "1_0", "9" * 400])
def test_anything_else_is_named(said: str) -> None:
    """The error names the header and repeats at most 40 characters."""
    with pytest.raises(InvalidRequest) as caught:
        asked_timeout(said, 600)
    assert caught.value.param == "x-request-timeout"
    assert len(caught.value.message) < 150


def test_a_deadline_that_has_passed_leaves_nothing() -> None:
    """Never less than nothing."""
    assert Deadline.after(-5).remaining() == 0
    assert Deadline.after(1000).remaining() > 0
