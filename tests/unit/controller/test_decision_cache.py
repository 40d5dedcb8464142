"""The decision cache: what is remembered, for whom, and what is shared."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
from prometheus_client import CollectorRegistry

from controller.decision_cache import DecisionCache
from controller.scorers import Score, ScorerState, ScoringError
from pointsman.v1 import routing_pb2


def _state(checkpoint: str = "a@sha256:1", version: str = "1+x") -> ScorerState:
    return ScorerState(ready=True, detail="", checkpoint=checkpoint, version=version)


@dataclass
class Hand:
    """Scorers by hand: each call waits for `open` where that isn't set, and is counted."""

    states: dict[str, ScorerState] = field(default_factory=lambda: {"mf": _state(), "bert": _state(), "random": _state("none")})
    open: asyncio.Event = field(default_factory=asyncio.Event)
    answers: ScorerState | None = None
    """Who answers, where it isn't the probed one."""
    fails: bool = False
    asked: list[tuple[str, str]] = field(default_factory=list)
    given_up: int = 0

    async def score(self, strategy: str, text: str, session: str, budget_s: float) -> Score:
        self.asked.append((strategy, text))
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        if self.fails:
            raise ScoringError(routing_pb2.REASON_SCORER_ERROR)
        by = self.answers or self.states[strategy]
        return Score(len(self.asked) / 100, by.checkpoint, version=by.version)


def _cache(*, is_open: bool = True, entries: int = 10) -> tuple[DecisionCache, Hand]:
    hand = Hand()
    if is_open:
        hand.open.set()
    return DecisionCache(hand, entries, CollectorRegistry()), hand


async def _ask(cache: DecisionCache, text: str = "x", strategy: str = "mf", budget_s: float = 10) -> Score:
    return await cache.score(strategy, text, "", budget_s)


async def test_an_identical_text_is_scored_once_per_strategy() -> None:
    """The second answer is the first's, and says that it is remembered."""
    cache, hand = _cache()
    first, second, other, another_text = await _ask(cache), await _ask(cache), await _ask(cache, strategy="bert"), await _ask(cache, "y")
    assert hand.asked == [("mf", "x"), ("bert", "x"), ("mf", "y")]
    assert (first.strong_win_rate, first.cached, second.strong_win_rate, second.cached) == (0.01, False, 0.01, True)
    assert not other.cached
    assert not another_text.cached


@pytest.mark.parametrize(("strategy", "checkpoint"), [("random", "drawn@sha256:1"), ("longest", "none"), ("longest", "")])
async def test_what_draws_or_has_no_checkpoint_is_asked_each_time(strategy: str, checkpoint: str) -> None:
    """Not even calls at once are shared."""
    cache, hand = _cache()
    hand.states[strategy] = _state(checkpoint)
    await asyncio.gather(*(_ask(cache, strategy=strategy) for _ in range(3)))
    assert len(hand.asked) == 3
    assert not len(cache)


async def test_the_least_recently_used_goes_first() -> None:
    """A look-up is a use."""
    cache, hand = _cache(entries=2)
    for text in ("a", "b", "a", "c", "a", "b"):
        await _ask(cache, text)
    assert [text for _, text in hand.asked] == ["a", "b", "c", "b"]
    assert len(cache) == 2


@pytest.mark.parametrize("other", [_state("b@sha256:2"), _state(version="1+y")])
async def test_another_checkpoint_or_other_options_are_asked_anew(other: ScorerState) -> None:
    """Those of the one before are still right for it, should it serve again."""
    cache, hand = _cache()
    await _ask(cache)
    hand.states["mf"] = other
    assert not (await _ask(cache)).cached
    hand.states["mf"] = _state()
    assert (await _ask(cache)).strong_win_rate == 0.01
    assert len(hand.asked) == 2


@pytest.mark.parametrize("other", [_state("b@sha256:2"), _state(version="1+y")])
async def test_of_two_that_serve_the_probed_ones_answers_are_remembered(other: ScorerState) -> None:
    """The other's opinion would be another's."""
    cache, hand = _cache()
    hand.answers = other
    await _ask(cache)
    assert not len(cache)


async def test_a_strategy_that_is_not_ready_answers_nothing_from_memory() -> None:
    """No checkpoint serves."""
    cache, hand = _cache()
    await _ask(cache)
    hand.states["mf"] = ScorerState(detail="no replica answers")
    await _ask(cache)
    assert len(hand.asked) == 2


async def test_a_failure_is_not_remembered() -> None:
    """The next one is asked."""
    cache, hand = _cache()
    hand.fails = True
    with pytest.raises(ScoringError):
        await _ask(cache)
    hand.fails = False
    assert not (await _ask(cache)).cached


async def test_identical_texts_at_once_share_a_call_that_outlives_any_one_of_them() -> None:
    """The first is cancelled, the second has no time left, and the others have their answer."""
    cache, hand = _cache(is_open=False)
    first = asyncio.ensure_future(_ask(cache))
    hurried = asyncio.ensure_future(_ask(cache, budget_s=0.01))
    others = [asyncio.ensure_future(_ask(cache)) for _ in range(3)]
    with pytest.raises(ScoringError) as late:
        await hurried
    first.cancel()
    hand.open.set()
    assert {score.strong_win_rate for score in await asyncio.gather(*others)} == {0.01}
    assert late.value.reason == routing_pb2.REASON_SCORER_TIMEOUT
    assert first.cancelled()
    assert len(hand.asked) == 1


async def test_a_call_that_nobody_waits_for_ends_and_the_next_one_begins_anew() -> None:
    """It leaves the scorer's queue."""
    cache, hand = _cache(is_open=False)
    waiting = [asyncio.ensure_future(_ask(cache)) for _ in range(2)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for each in waiting:
        each.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    hand.open.set()
    await _ask(cache)
    assert (hand.given_up, len(hand.asked)) == (1, 2)


async def test_no_prompt_is_kept() -> None:
    """Neither of an answer that is remembered nor of a call that is over."""
    cache, _ = _cache()
    await _ask(cache, "canary")
    assert len(cache) == 1
    assert "canary" not in str(vars(cache) | {"_scorers": None})
