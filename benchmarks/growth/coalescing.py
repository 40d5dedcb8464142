"""What becomes of coalescing as controllers are added: fewer prompts a call, and more work for Serve."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from benchmarks.growth.arrivals import arrivals
from benchmarks.growth.measured import Measured
from benchmarks.growth.outcome import Outcome
from benchmarks.growth.planner import Assumptions
from benchmarks.growth.simulator import Design, simulate

REPLICAS: Final = 16
LOAD: Final = 0.7
"""Of what the replicas do with full batches and full calls."""
CONTROLLERS: Final = (1, 2, 4, 8, 16, 32, 64, 128)


@dataclass(frozen=True, slots=True)
class Crowd:
    """The same traffic and replicas behind so many controllers."""

    controllers: int
    rate: float
    own: Outcome
    """Each may have a call in flight for every replica: as it is."""
    shared: Outcome
    """The replicas shared out: a controller may have replicas/controllers calls in flight, at least one."""


def capacity(measured: Measured, strategy: str, words: int, assumed: Assumptions, replicas: int) -> float:
    """Prompts a second of so many replicas with full batches and full calls."""
    seconds = measured.service(strategy, words)(assumed.max_batch) + measured.cpu.serve - measured.cpu.haproxy
    return replicas * assumed.max_batch / seconds


def design(measured: Measured, strategy: str, words: int, assumed: Assumptions, replicas: int, controllers: int, slots: int) -> Design:
    """As the planner has it."""
    call_s = measured.cpu.serve - measured.cpu.haproxy
    hop_s = max(0.0, measured.hop - call_s) / 2
    service = measured.service(strategy, words)
    return Design(replicas, service, controllers, slots, max_batch=assumed.max_batch, hop_s=hop_s, call_s=call_s)


def crowds(measured: Measured, strategy: str, words: int, assumed: Assumptions) -> Iterator[Crowd]:
    """By number of controllers."""
    rate = LOAD * capacity(measured, strategy, words, assumed, REPLICAS)
    times = arrivals("poisson", rate, assumed.prompts, seed=1)
    for controllers in CONTROLLERS:
        each = (
            simulate(design(measured, strategy, words, assumed, REPLICAS, controllers, slots), times, seed=1)
            for slots in (REPLICAS, max(1, REPLICAS // controllers))
        )
        yield Crowd(controllers, rate, *each)


def sizes(measured: Measured, strategy: str, words: int, assumed: Assumptions) -> list[tuple[int, Outcome]]:
    """The same replicas and traffic behind one controller, by `small_batch`; at 16 a call takes all that waits."""
    rate = LOAD * capacity(measured, strategy, words, assumed, REPLICAS)
    times = arrivals("poisson", rate, assumed.prompts, seed=1)
    own = design(measured, strategy, words, assumed, REPLICAS, 1, REPLICAS)
    return [(size, simulate(replace(own, small_batch=size), times, seed=1)) for size in (1, 2, 4, 8, 16)]


def loads(measured: Measured, strategy: str, words: int, assumed: Assumptions) -> list[tuple[float, Outcome]]:
    """Eight replicas behind one controller, by the share of their capacity that comes."""
    most = capacity(measured, strategy, words, assumed, 8)
    shares = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
    one = design(measured, strategy, words, assumed, 8, 1, 8)
    return [(share, simulate(one, arrivals("poisson", share * most, assumed.prompts, seed=1), seed=1)) for share in shares]
