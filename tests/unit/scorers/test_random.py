"""The random strategy."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pointsman.runtime.settings import StrategySettings
from scorers.errors import InvalidOptions
from scorers.random.router import RandomRouter
from scorers.registry import build_router
from scorers.router import NoWinRate, ScoredPrompt

OF_SESSION_ALICE = 0.8626924878985038


def rates(router: RandomRouter, *sessions: str) -> list[float]:
    """One rate per session, in one batch."""
    results = router.calculate_strong_win_rates([ScoredPrompt("x", session) for session in sessions])
    return [r.strong_win_rate for r in results if not isinstance(r, NoWinRate)]


def test_draws_are_uniform_over_zero_to_one() -> None:
    """Each tenth of the range gets about a tenth of the draws, sessions or not."""
    for drawn in (rates(RandomRouter(1), *[""] * 10_000), rates(RandomRouter(1), *map(str, range(10_000)))):
        assert all(0 <= rate < 1 for rate in drawn)
        tenths = [sum(int(rate * 10) == tenth for rate in drawn) for tenth in range(10)]
        assert all(850 < count < 1150 for count in tenths)


def test_the_same_seed_repeats_the_draws_and_another_does_not() -> None:
    """Without sessions, the seed fixes the sequence."""
    assert rates(RandomRouter(7), *[""] * 5) == rates(RandomRouter(7), *[""] * 5)
    assert rates(RandomRouter(7), *[""] * 5) != rates(RandomRouter(8), *[""] * 5)


def test_a_session_keeps_its_draw_whatever_came_before() -> None:
    """Session and seed alone decide, so that every replica agrees."""
    router = RandomRouter(7)
    first = rates(router, "alice", "bob")
    rates(router, *[""] * 3)
    assert rates(router, "bob", "alice") == first[::-1]
    assert first[0] != first[1]
    assert rates(RandomRouter(8), "alice") != first[:1]


def test_a_session_keeps_its_draw_across_processes() -> None:
    """A process with another hash seed, and no seed set, draws the same value."""
    code = "from scorers.random.router import *; print(RandomRouter().calculate_strong_win_rates([ScoredPrompt('', 'alice')])[0])"
    printed = {subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout for _ in range(2)}
    assert printed == {f"WinRate(strong_win_rate={rates(RandomRouter(), 'alice')[0]!r}, truncated=False, embedding_cached=False)\n"}


def test_the_draw_of_a_session_never_changes_between_versions() -> None:
    """A golden value: sessions must not move at an upgrade."""
    assert rates(RandomRouter(), "alice") == [OF_SESSION_ALICE]


@pytest.mark.parametrize("options", [{"sed": 1}, {"seed": "one"}, {"seed": True}, {"seed": 1.5}])
def test_a_wrong_option_is_an_error_that_names_it(options: dict[str, object]) -> None:
    """Unknown options and values of the wrong type."""
    with pytest.raises(InvalidOptions, match=f"strategies.random.options.{next(iter(options))}"):
        build_router("random", StrategySettings(options=options))
