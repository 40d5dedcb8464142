"""The simulator against queueing theory, and against the Batcher that it imitates."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from math import factorial, inf

import numpy as np
import pytest

from benchmarks.growth.arrivals import arrivals
from benchmarks.growth.measured import Service
from benchmarks.growth.parts import Proxy
from benchmarks.growth.real import Clockless, Played, played
from benchmarks.growth.simulator import Design, simulate

_COUNT = 60_000


def _played(design: Design, count: int, rate: float) -> Played:
    with asyncio.Runner(loop_factory=Clockless) as runner:
        return runner.run(played(design, arrivals("poisson", rate, count, 5), 5))


@pytest.mark.parametrize("load", [0.3, 0.6, 0.85])
def test_one_prompt_at_a_time_waits_as_in_m_d_1(load: float) -> None:
    """The mean wait is load / (2 (1 - load)) of the service time."""
    design = Design(1, lambda _: 1.0, max_batch=1, max_waiting=inf, max_queued=inf, timeout_s=inf)
    found = simulate(design, arrivals("poisson", load, _COUNT, 1))
    assert found.mean_wait == pytest.approx(load / (2 * (1 - load)), rel=0.08)
    assert found.utilisation == pytest.approx(load, rel=0.02)


def test_one_prompt_at_a_time_waits_exactly_as_the_arrivals_have_it() -> None:
    """Lindley's recursion, prompt by prompt."""
    times, waits = arrivals("poisson", 0.9, 10_000, 4), [0.0]
    for gap in np.diff(times):
        waits.append(max(0.0, waits[-1] + 1 - gap))
    design = Design(1, lambda _: 1.0, max_batch=1, max_waiting=inf, max_queued=inf, timeout_s=inf)
    assert simulate(design, times).mean_wait == pytest.approx(np.mean(waits[1000:]), rel=1e-9)


@pytest.mark.parametrize("servers", [2, 5])
def test_several_replicas_of_random_service_wait_as_in_m_m_c(servers: int) -> None:
    """Erlang's C, over the rate at which the queue drains."""
    draw, load = random.Random(3), 0.8
    design = Design(servers, lambda _: draw.expovariate(1), max_batch=1, max_waiting=inf, max_queued=inf, timeout_s=inf)
    offered = servers * load
    idle = sum(offered**n / factorial(n) for n in range(servers))
    busy = offered**servers / factorial(servers) / (1 - load)
    expected = busy / (idle + busy) / (servers - offered)
    assert simulate(design, arrivals("poisson", offered, 2 * _COUNT, 2)).mean_wait == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize(
    ("design", "rate"),
    [
        (Design(1, Service(0.004, 0.003)), 200.0),
        (Design(1, Service(0.004, 0.003)), 300.0),
        (Design(3, Service(0.004, 0.003), hop_s=0.0005), 700.0),
        (Design(3, Service(0.004, 0.003), controllers=4, hop_s=0.0005), 700.0),
    ],
)
def test_it_does_what_the_batcher_does(design: Design, rate: float) -> None:
    """The same arrivals through real Batchers: controllers' before replicas'."""
    real = _played(design, 3000, rate)
    simulated = simulate(design, arrivals("poisson", rate, 3000, 5), 5)
    assert simulated.batch_size == pytest.approx(np.mean(real.batches), rel=0.01)
    assert simulated.call_size == pytest.approx(np.mean(real.calls), rel=0.01)
    assert simulated.p50 == pytest.approx(np.quantile(real.latencies[300:], 0.5), rel=0.01)
    assert simulated.p99 == pytest.approx(np.quantile(real.latencies[300:], 0.99), rel=0.06)


def _at(rate: float, **changed: object) -> Mapping[str, float]:
    design = Design(**{"replicas": 2, "service": Service(0.004, 0.003), **changed})  # type: ignore[arg-type]
    found = simulate(design, arrivals("poisson", rate, 20_000, 7))
    return {"refused": found.refused, "timed_out": found.timed_out, "p99": found.p99, "calls": found.most_in_flight}


def test_three_times_too_much_is_refused_or_too_late_and_the_rest_is_answered_within_the_timeout() -> None:
    """16 prompts take 52 ms, so that two replicas answer 615 a second."""
    found = _at(1846)
    assert found["refused"] + found["timed_out"] == pytest.approx(2 / 3, abs=0.04)
    assert found["p99"] <= 2


def test_a_queue_that_holds_more_than_can_be_answered_in_time_ends_in_timeouts_and_not_in_refusals() -> None:
    found = _at(1846, max_waiting=10_000)
    assert found["refused"] == 0
    assert found["timed_out"] == pytest.approx(2 / 3, abs=0.04)


def test_many_controllers_can_fill_a_replicas_queue() -> None:
    """Each has a call in flight for every replica, so that 40 of them bring more than 256 prompts."""
    assert _at(1846, controllers=8)["refused"] < 0.05
    assert _at(1846, controllers=40)["refused"] > 0.3


def test_calls_beyond_the_connections_streams_wait_in_the_client() -> None:
    assert _at(3000, replicas=64, streams=2)["p99"] > 5 * _at(3000, replicas=64)["p99"]


def test_a_burst_comes_at_twice_the_mean_rate() -> None:
    """And the mean stays as asked."""
    times = arrivals("bursty", 1000, 400_000, 1)
    a_tenth = np.bincount((times * 10).astype(int))[:-1]
    assert len(times) / times[-1] == pytest.approx(1000, rel=0.05)
    assert np.quantile(a_tenth, 0.9) == pytest.approx(200, rel=0.1)
    assert np.quantile(a_tenth, 0.4) == pytest.approx(67, rel=0.2)


def test_the_proxy_takes_the_replica_with_the_fewest_calls() -> None:
    proxy = Proxy(3)
    assert [proxy.chosen() for _ in range(6)] == [0, 1, 2, 0, 1, 2]
    proxy.ended(1)
    assert proxy.chosen() == 1
