"""The sliding window's arithmetic."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.limiting.window import Window


def after(window: Window, seconds: float) -> Window:
    """The same window that much later, where nothing is added."""
    if seconds < window.current_left_s or not window.current:
        return Window(window.length_s, window.previous, max(0.0, window.previous_left_s - seconds), window.current, window.current_left_s)
    left = window.length_s - (seconds - window.current_left_s)
    return Window(window.length_s, window.current if left > 0 else 0, max(0.0, left), 0, 0.0)


WINDOWS = st.builds(
    lambda previous, current, left: Window(60, previous, left, current, left),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.floats(0.001, 60),
)


@given(WINDOWS, st.integers(1, 10**6))
def test_after_the_wait_there_is_room_and_not_before(window: Window, limit: int) -> None:
    """To a hundredth of a second on either side."""
    wait_s = window.wait_s(limit)
    assert after(window, wait_s + 0.01).used < limit
    if wait_s > 0.01:
        assert after(window, wait_s - 0.01).used >= limit


@given(WINDOWS)
def test_after_the_reset_nothing_counts(window: Window) -> None:
    """And it is at most two intervals away."""
    assert 0 <= window.reset_s <= 120
    assert after(window, window.reset_s).used == 0


@pytest.mark.parametrize(
    ("window", "used", "wait_s", "reset_s"),
    [
        (Window(60), 0, 0, 0),
        (Window(60, current=9, current_left_s=30), 9, 0, 90),
        (Window(60, current=10, current_left_s=30), 10, 30, 90),
        (Window(60, current=20, current_left_s=30), 20, 60, 90),
        (Window(60, previous=20, previous_left_s=30), 10, 0, 30),
        (Window(60, previous=20, previous_left_s=45, current=0), 15, 15, 45),
        (Window(60, previous=20, previous_left_s=45, current=5, current_left_s=45), 20, 30, 105),
    ],
)
def test_of_ten_per_minute(window: Window, used: int, wait_s: float, reset_s: float) -> None:
    """By hand; the part of the earlier interval is rounded down with the sum."""
    assert (window.used, window.remaining(10)) == (used, max(0, 10 - used))
    assert window.reset_s == reset_s
    assert window.wait_s(10) == pytest.approx(wait_s, abs=0.001)
