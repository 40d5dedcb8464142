"""The circuit breaker and the budget, by a clock that the test holds."""

from __future__ import annotations

import pytest

from controller.breaker import Breaker, Permit, State
from controller.budget import Budget
from pointsman.runtime.backend_settings import BreakerSettings


class Bench:
    """A breaker, its clock and its changes."""

    def __init__(self, **settings: float) -> None:
        self.now = 1000.0
        self.changes: list[State] = []
        defaults = {"failures": 3, "failure_ratio": 0.5, "min_requests": 10, "window_s": 30, "open_s": 10}
        self.breaker = Breaker(BreakerSettings.model_validate({**defaults, **settings}), lambda: self.now, self.changes.append)

    def call(self, *outcomes: bool) -> None:
        """One call after another that is let through and ends so."""
        for ok in outcomes:
            permit = self.admitted()
            permit.succeeded() if ok else permit.failed()

    def opened(self) -> bool:
        """Whether it is open now."""
        return self.breaker.state is State.OPEN

    def admitted(self) -> Permit:
        """A permit that there must be."""
        permit = self.breaker.admit()
        assert permit
        return permit


def test_so_many_failures_in_a_row_open_it() -> None:
    """And a success begins the row anew."""
    bench = Bench()
    bench.call(False, False, True, False, False)
    assert not bench.opened()
    bench.call(False)
    assert (bench.breaker.state, bench.breaker.admit(), bench.changes) == (State.OPEN, None, [State.OPEN])
    bench.now += 4
    assert bench.breaker.retry_after_s == 6


def test_a_ratio_of_failures_over_the_window_opens_it() -> None:
    """Of enough requests; what has left the window doesn't count."""
    bench = Bench()
    bench.call(*[True, False] * 4)
    bench.now += 31
    bench.call(*[True, False] * 4)
    assert not bench.opened()
    bench.call(True, False)
    assert bench.opened()


def test_one_probe_at_a_time_after_a_while_and_a_success_closes_it() -> None:
    """The others are not let through until it has an outcome."""
    bench = Bench()
    bench.call(False, False, False)
    bench.now += 10
    probe = bench.admitted()
    assert (bench.breaker.state, bench.breaker.admit()) == (State.HALF_OPEN, None)
    probe.succeeded()
    assert bench.changes == [State.OPEN, State.HALF_OPEN, State.CLOSED]
    bench.call(False, False)
    assert not bench.opened()


def test_a_failed_probe_opens_it_for_as_long_again() -> None:
    """Counted from the probe's failure."""
    bench = Bench()
    bench.call(False, False, False)
    bench.now += 10
    bench.call(False)
    bench.now += 9
    assert bench.breaker.admit() is None
    bench.now += 1
    assert bench.breaker.admit()


@pytest.mark.parametrize("released", [True, False])
def test_a_probe_without_an_outcome_makes_room_for_the_next(released: bool) -> None:
    """At once where it was cancelled; where nothing is heard of it, after as long as the breaker stays open."""
    bench = Bench()
    bench.call(False, False, False)
    bench.now += 10
    probe = bench.admitted()
    if released:
        probe.released()
    else:
        bench.now += 10
    assert bench.breaker.admit()


def test_what_began_before_a_change_does_not_count_after_it() -> None:
    """A late success doesn't close an open breaker, and late failures don't open a closed one."""
    bench = Bench()
    late = [bench.admitted() for _ in range(5)]
    bench.call(False, False, False)
    late[0].succeeded()
    assert bench.opened()
    bench.now += 10
    bench.call(True)
    for permit in late[1:]:
        permit.failed()
    assert not bench.opened()


def test_an_answer_that_broke_off_counts_as_a_failure_and_no_longer_as_a_success() -> None:
    """A backend that begins every answer and ends none is unwell too."""
    bench = Bench(failures=100)
    for _ in range(9):
        permit = bench.admitted()
        permit.succeeded()
        permit.failed()
        permit.failed()
    assert not bench.opened()
    bench.call(False)
    assert bench.opened()


def test_a_cancelled_call_says_nothing() -> None:
    """Callers who go away don't open it."""
    bench = Bench()
    for _ in range(20):
        bench.admitted().released()
    bench.call(False, False)
    assert (bench.breaker.state, bench.changes) == (State.CLOSED, [])


def test_a_call_that_was_given_up_after_a_long_wait_is_a_failure() -> None:
    """A backend that hangs is found out also where no caller waits for its timeout; who waits less than `slow_s` can't do that."""
    bench = Bench(slow_s=2)
    waiting = [bench.admitted() for _ in range(6)]
    bench.now += 1.9
    for permit in waiting[:3]:
        permit.released()
    assert not bench.opened()
    bench.now += 0.1
    for permit in waiting[3:]:
        permit.released()
    assert bench.opened()


def test_a_probe_that_was_given_up_after_a_long_wait_opens_it_again() -> None:
    """It isn't tried by one caller after the other."""
    bench = Bench(slow_s=2)
    bench.call(False, False, False)
    bench.now += 10
    probe = bench.admitted()
    bench.now += 2
    probe.released()
    assert bench.opened()


def test_a_long_answer_that_its_caller_ends_stays_a_success() -> None:
    """It began in time."""
    bench = Bench(slow_s=2, failures=1)
    permit = bench.admitted()
    permit.succeeded()
    bench.now += 100
    permit.released()
    assert bench.changes == []


@pytest.mark.parametrize(("share", "extras"), [(0.0, 0), (0.2, 210), (1.0, 1000)])
def test_a_budget_gives_its_share_and_ten_more(share: float, extras: int) -> None:
    """Whatever asks, for each of a thousand events."""
    budget, taken = Budget(share), 0
    for _ in range(1000):
        budget.add()
        taken += budget.take()
    assert taken == pytest.approx(extras, abs=1)


def test_a_quiet_time_saves_no_more_than_ten() -> None:
    """However many events there were."""
    budget = Budget(0.5)
    for _ in range(1000):
        budget.add()
    assert sum(budget.take() for _ in range(100)) == 10
