"""When calls begin, and what is counted of them."""

from __future__ import annotations

import asyncio
import time

from pointsman.loadtest.driving import NOT_SENT, Load, drive
from pointsman.loadtest.samples import Sample, percentiles, summary


async def _quick() -> tuple[float, str]:
    await asyncio.sleep(0.001)
    return asyncio.get_running_loop().time(), ""


async def test_callers_who_wait_are_never_more_than_the_concurrency() -> None:
    running = most = 0

    async def call() -> tuple[float, str]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        result = await _quick()
        running -= 1
        return result

    samples = await drive(call, Load(seconds=0.1, concurrency=7))
    assert most == 7
    assert len(samples) > 7
    assert all(sample.due == sample.began for sample in samples)


async def test_the_warm_up_is_not_counted() -> None:
    begun = asyncio.get_running_loop().time()
    samples = await drive(_quick, Load(seconds=0.05, warmup_s=0.1, rate=400))
    assert samples
    assert min(sample.due for sample in samples) >= begun + 0.1


async def test_arrivals_have_their_rate_whoever_waits() -> None:
    async def stuck() -> tuple[float, str]:
        await asyncio.sleep(0.3)
        return 0.0, ""

    samples = await drive(stuck, Load(seconds=0.5, rate=1000, seed=1))
    assert 400 < len(samples) < 600


async def test_a_stall_counts_for_all_who_were_due_in_it() -> None:
    """A service that answers nobody for 0.2 s and then everybody: those who were due at its beginning waited longest."""
    open_again = asyncio.get_running_loop().time() + 0.2

    async def call() -> tuple[float, str]:
        await asyncio.sleep(max(0.0, open_again - asyncio.get_running_loop().time()))
        return asyncio.get_running_loop().time(), ""

    samples = await drive(call, Load(seconds=0.2, rate=500, seed=2))
    waits = [sample.ended - sample.due for sample in sorted(samples, key=lambda sample: sample.due)]
    assert waits[0] > 0.15
    assert len([wait for wait in waits if wait > 0.1]) > 25  # half of those that were due


async def test_a_generator_that_falls_behind_says_so_and_counts_from_when_a_call_was_due() -> None:
    loop_held = False

    async def call() -> tuple[float, str]:
        nonlocal loop_held
        if not loop_held:
            loop_held = True
            time.sleep(0.1)  # noqa: ASYNC251 (the generator itself stalls)
        return asyncio.get_running_loop().time(), ""

    samples = await drive(call, Load(seconds=0.2, rate=500, seed=3))
    late = [sample for sample in samples if sample.began - sample.due > 0.03]
    assert late
    assert all(sample.ended - sample.due > 0.03 for sample in late)


async def test_what_is_outstanding_is_bounded_and_the_rest_counted() -> None:
    async def stuck() -> tuple[float, str]:
        await asyncio.sleep(0.3)
        return 0.0, ""

    samples = await drive(stuck, Load(seconds=0.1, rate=500, seed=4, most_outstanding=3))
    assert len([sample for sample in samples if not sample.error]) == 3
    assert {sample.error for sample in samples} == {"", NOT_SENT}


def test_percentiles_are_of_the_nearest_rank() -> None:
    found = percentiles(value / 1000 for value in range(1, 101))
    assert found == {"p50": 50, "p90": 90, "p99": 99, "p999": 100, "max": 100}
    assert percentiles([]) == {}
    assert percentiles([0.0125])["p50"] == 12.5


def test_what_failed_is_in_no_latency() -> None:
    good, bad = Sample(0, 0, 0.5, 1), Sample(0, 0, 9, 9, "HTTP 502")
    found = summary([good, good, bad], 2)
    assert found.calls == 3
    assert found.per_second == 1
    assert found.errors == {"HTTP 502": 1}
    assert found.latency_ms["max"] == 1000
    assert found.first_byte_ms["max"] == 500
