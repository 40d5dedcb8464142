"""A key's limits, counted in this process."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from gateway.identity.keyring import Caller
from gateway.limiting.admission import Admission, tokens_when_cut
from gateway.limiting.limiter import Limiter
from gateway.limiting.meter import MemoryMeter
from gateway.limiting.metrics import LimiterMetrics
from gateway.observer import Observation
from pointsman.runtime.callers import CallerNames
from pointsman.runtime.errors import RateLimited
from pointsman.runtime.keys_file import KeyEntry


def entry(**limits: Any) -> KeyEntry:
    """A key with these limits."""
    return KeyEntry(name="a", certificates=["a"], **limits)


def limiter(window_s: int = 60) -> Limiter:
    """One that has counted nothing yet."""
    return Limiter(None, MemoryMeter(window_s), LimiterMetrics(CollectorRegistry(), CallerNames()))


async def outcome(of: Limiter, key: KeyEntry, tokens: int = 0) -> str:
    """What becomes of a request that takes so many tokens: the limit that it is over, or nothing."""
    verdict = await of.admit(key)
    if not verdict.refused:
        await of.settle(key, verdict, tokens)
    return verdict.limit


async def test_so_many_requests_and_no_more() -> None:
    """A refused one counts for nothing; keys count apart."""
    some, key = limiter(), entry(requests_per_minute=3)
    assert [await outcome(some, key) for _ in range(5)] == ["", "", "", "requests", "requests"]
    assert await outcome(some, KeyEntry(name="b", certificates=["b"], requests_per_minute=1)) == ""
    assert (await some.admit(entry(requests_per_minute=4))).refused is None


async def test_tokens_count_when_the_answer_is_over() -> None:
    """So one answer may go over the limit, and the next request waits for it."""
    some, key = limiter(), entry(tokens_per_minute=100)
    assert [await outcome(some, key, 99), await outcome(some, key, 1000), await outcome(some, key, 0)] == ["", "", "tokens"]
    refused = (await some.admit(key)).refused
    assert refused
    assert refused.retry_after_s is not None
    assert 0 < refused.retry_after_s <= 120


async def test_requests_at_once_have_places() -> None:
    """Given back when they end, and also where another limit refuses."""
    some, key = limiter(), entry(concurrent_streams=1, requests_per_minute=2)
    first = await some.admit(key)
    assert (await some.admit(key)).limit == "streams"
    await some.settle(key, first, 0)
    assert await outcome(some, key) == ""
    assert [await outcome(some, key), await outcome(some, key)] == ["requests", "requests"]


async def test_every_answer_says_what_is_left_by_openais_names() -> None:
    """Only of the limits that the key has."""
    some, key = limiter(), entry(requests_per_minute=3, tokens_per_minute=100)
    await outcome(some, key, 40)
    told = dict((await some.admit(key)).headers)
    assert (told["x-ratelimit-limit-requests"], told["x-ratelimit-remaining-requests"]) == ("3", "1")
    assert (told["x-ratelimit-limit-tokens"], told["x-ratelimit-remaining-tokens"]) == ("100", "60")
    assert all(told[f"x-ratelimit-reset-{kind}"].endswith("s") for kind in ("requests", "tokens"))
    assert set(dict((await some.admit(entry(requests_per_minute=3))).headers)) == {
        f"x-ratelimit-{what}-requests" for what in ("limit", "remaining", "reset")
    }
    assert (await some.admit(entry(concurrent_streams=9))).headers == []


async def test_a_window_slides() -> None:
    """What was counted leaves it; here a window is a second."""
    some, key = limiter(window_s=1), entry(requests_per_minute=2)
    assert [await outcome(some, key) for _ in range(3)] == ["", "", "requests"]
    while await outcome(some, key):
        await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("facts", "tokens"),
    [
        ({"pieces": 3, "bytes_in": 400}, 103),
        ({"pieces": 0, "bytes_in": 400}, 0),
    ],
    ids=["cut in the middle", "cut before it began"],
)
def test_hanging_up_isnt_free(facts: dict[str, Any], tokens: int) -> None:
    """An answer that its caller cut is charged by an estimate."""
    assert tokens_when_cut(Observation(protocol="rest", method="POST", request_id="1", status="200", **facts)) == tokens


async def test_a_place_is_given_back_however_a_request_ends() -> None:
    """Also by an error; and a caller without limits isn't counted."""
    admission, seen = Admission(limiter()), Observation(protocol="rest", method="POST", request_id="1", status="200")
    caller = Caller(entry(concurrent_streams=1), b"")
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            async with admission.admitted(caller, seen, list):
                raise ZeroDivisionError
    without_limits = Caller(entry(), b"")
    async with (
        admission.admitted(caller, seen, list),
        admission.admitted(without_limits, seen, list),
        admission.admitted(None, seen, list),
    ):
        with pytest.raises(RateLimited):
            async with admission.admitted(caller, seen, list):
                raise AssertionError
