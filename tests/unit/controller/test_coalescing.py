"""What is learned from a scorer's answers: how many calls it takes, and what is too late to send."""

from __future__ import annotations

from controller.coalescing import Quickest, Slots


class Clock:
    """Goes when it's told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_there_is_a_slot_for_each_replica_that_answered_lately() -> None:
    clock = Clock()
    slots = Slots(clock)
    assert slots.now() == 1
    for name in ("a", "b", "c", "a"):
        slots.answered(name)
    assert slots.now() == 3
    clock.now += 10
    slots.answered("b")
    clock.now += 10
    assert slots.now() == 1


def test_several_calls_per_replica() -> None:
    slots = Slots(Clock(), per_replica=2)
    assert slots.now() == 2
    slots.answered("a")
    slots.answered("b")
    assert slots.now() == 4


def test_a_refusal_halves_them_for_a_while_and_never_below_one() -> None:
    clock = Clock()
    slots = Slots(clock)
    for name in "abcdefgh":
        slots.answered(name)
    slots.refused()
    assert slots.now() == 4
    slots.refused()
    assert slots.now() == 2
    for _ in range(5):
        slots.refused()
    assert slots.now() == 1
    clock.now += 3
    assert slots.now() == 8


def test_the_quickest_is_of_recent_calls() -> None:
    """0 where there is none: a scorer that was slow for a while is tried again."""
    clock = Clock()
    quickest = Quickest(clock)
    assert quickest.now() == 0
    quickest.took(0.5)
    quickest.took(0.2)
    quickest.took(0.9)
    assert quickest.now() == 0.2
    clock.now += 6
    assert quickest.now() == 0
