"""Who is refused for now comes back when told to, a few times."""

from __future__ import annotations

import asyncio
import threading

import grpc
import pytest

from pointsman.client import RouteError, Unreachable
from pointsman.client.patience import patiently, patiently_async
from pointsman.runtime.errors import Unavailable

FULL, GONE = grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE


def refused(retry_after_s: float | None, code: grpc.StatusCode = FULL) -> RouteError:
    """As a service says it that is at its limit."""
    metadata = {} if retry_after_s is None else {"retry_after_s": f"{retry_after_s:g}"}
    return (Unreachable if code is GONE else RouteError)(code, "OVERLOADED", "full", metadata)


class Asked:
    """Fails as often as there are errors."""

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)
        self.times = 0

    def __call__(self) -> str:
        self.times += 1
        if self._errors:
            raise self._errors.pop(0)
        return "answer"

    async def later(self) -> str:
        """The same, awaited."""
        return self()


class Clock(threading.Event):
    """Notes waits in the place of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.waits_s: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits_s.append(timeout or 0)
        return self.is_set()


@pytest.fixture
def slept_s(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Waits of asyncio, which aren't waited."""
    noted: list[float] = []

    async def sleep(seconds: float) -> None:
        noted.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return noted


def test_the_wait_is_as_long_as_was_said_and_grows(slept_s: list[float]) -> None:
    """Threads and asyncio alike."""
    for_now = [refused(after_s) for after_s in (1, 0.1, 30, 60, 0)]
    clock, asked = Clock(), Asked(*for_now)
    assert (patiently(asked, stopped=clock), clock.waits_s) == ("answer", [1, 0.5, 30, 60, 4])
    assert asyncio.run(patiently_async(Asked(*for_now).later)) == "answer"
    assert slept_s == clock.waits_s


def test_eight_times_are_enough(slept_s: list[float]) -> None:
    """The last refusal is raised, without a wait after it."""
    clock, asked = Clock(), Asked(*[refused(0)] * 8)
    with pytest.raises(RouteError, match="full"):
        patiently(asked, stopped=clock)
    assert (asked.times, clock.waits_s) == (8, [0.25, 0.5, 1, 2, 4, 8, 16])
    asked = Asked(*[Unavailable("no opinion", retry_after_s=0)] * 8)
    with pytest.raises(Unavailable, match="no opinion"):
        asyncio.run(patiently_async(asked.later))
    assert (asked.times, slept_s) == (8, clock.waits_s)


@pytest.mark.parametrize("error", [refused(None), refused(61), refused(None, grpc.StatusCode.INVALID_ARGUMENT)])
def test_what_waiting_does_not_mend_is_raised_at_once(error: RouteError, slept_s: list[float]) -> None:
    """A message too long, a limit of a day, a prompt that is wrong."""
    clock, asked, awaited = Clock(), Asked(error), Asked(error)
    with pytest.raises(RouteError):
        patiently(asked, stopped=clock)
    with pytest.raises(RouteError):
        asyncio.run(patiently_async(awaited.later))
    assert (asked.times, awaited.times, clock.waits_s, slept_s) == (1, 1, [], [])


def test_only_thousands_wait_for_a_service_that_is_gone(slept_s: list[float]) -> None:
    """Whoever sits before a terminal is told that nobody is there."""
    clock = Clock()
    with pytest.raises(Unreachable):
        patiently(Asked(refused(1, GONE)), stopped=clock)
    assert clock.waits_s == []
    assert asyncio.run(patiently_async(Asked(refused(1, GONE)).later)) == "answer"
    assert slept_s == [1]


def test_who_stops_does_not_ask_again() -> None:
    """A wait that was begun ends: nothing sleeps here for a minute."""
    stopped, asked = threading.Event(), Asked(refused(60))
    threading.Timer(0.05, stopped.set).start()
    with pytest.raises(RouteError):
        patiently(asked, stopped=stopped)
    assert asked.times == 1
