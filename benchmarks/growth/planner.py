"""The fewest replicas that keep scoring within its target, and what stands around them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

from benchmarks.growth.arrivals import Kind, arrivals
from benchmarks.growth.measured import Measured
from benchmarks.growth.outcome import Outcome
from benchmarks.growth.simulator import Design, simulate
from pointsman.runtime.backend_settings import BackendSettings
from pointsman.runtime.controller_settings import ControllerSettings
from pointsman.runtime.gateway_settings import GatewaySettings

Slots = Literal["each", "shared"]
_MOST_CONTROLLERS: Final = 20_000
_GATEWAY_HOLDS: Final = GatewaySettings().max_concurrent
_CONTROLLER_HOLDS: Final = min(ControllerSettings().max_concurrent, 2 * BackendSettings.model_fields["max_connections"].default)
"""Half of the requests for each backend of a pair."""


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What a plan rests on beside the measurements. Prices are assumed, not measured: name your own."""

    target_ms: float = 100
    """p99 of scoring may take so much longer than the model takes for one full batch."""
    loss: float = 0.001
    """The share of prompts that may be refused or too late."""
    max_batch: int = 16
    slots: Slots = "each"
    """each: a controller may have a call in flight for every replica, as it is. shared: for its share of the replicas."""
    streams: int = 100
    """Calls at once on a controller's connection to HAProxy."""
    answer_s: float = 0
    """How long backends take: requests wait for them in gateways and controllers, which hold so many at most. 0: decisions alone."""
    process_use: float = 0.6
    """How much of its one core a gateway or a controller is planned to use."""
    slice_replicas: int = 32
    """Where more are needed, a slice of the traffic that needs about so many is simulated, and the result multiplied."""
    prompts: int = 20_000
    """In one simulation at least; and for `seconds` of arrivals, where that's fewer than `most_prompts`."""
    seconds: float = 10
    most_prompts: int = 60_000
    arrivals: Kind = "poisson"
    node_vcpu: int = 16
    node_gib: float = 64
    vcpu_hour: float = 0.04
    gib_hour: float = 0.005
    gpu_hour: float = 1.0


@dataclass(frozen=True, slots=True)
class Plan:
    """For one strategy, one rate and one length of prompts."""

    strategy: str
    rate: float
    words: int
    replicas: int
    controllers: int
    gateways: int
    nodes: int
    """Of replicas."""
    vcpus: float
    gib: float
    per_million: float
    """Cost of a million decisions, in the currency of the prices."""
    load: float
    """Arrivals over what the replicas would carry with full batches and full calls."""
    sliced: int
    """1, or how many slices like the simulated one make up the traffic."""
    outcome: Outcome


def plan(measured: Measured, strategy: str, rate: float, words: int, assumed: Assumptions) -> Plan:
    """Raises `InvalidData` for a strategy that wasn't measured, and `ValueError` where no number of replicas is enough."""
    controllers = processes(rate, measured.cpu.controller, _CONTROLLER_HOLDS, assumed)
    while controllers <= _MOST_CONTROLLERS:
        found = _with_controllers(measured, strategy, rate, words, assumed, controllers)
        if found:
            return found
        # Too much for the controllers' queues and connections, whatever is behind them.
        controllers = math.ceil(1.5 * controllers)
    raise ValueError(f"{strategy} can't answer {rate:g} prompts a second of {words} words within {assumed.target_ms:g} ms")


def processes(rate: float, cpu_s: float, holds: int, assumed: Assumptions) -> int:
    """Of one core each, at the planned use, that hold the requests that wait for backends."""
    return max(1, math.ceil(rate * cpu_s / assumed.process_use), math.ceil(rate * assumed.answer_s / holds))


def _with_controllers(measured: Measured, strategy: str, rate: float, words: int, assumed: Assumptions, controllers: int) -> Plan | None:
    service = measured.service(strategy, words)
    full_s = service(assumed.max_batch) + _call_s(measured)
    least = max(1, math.ceil(rate * full_s / assumed.max_batch))
    slices = max(1, min(controllers, least // assumed.slice_replicas))
    within = service(assumed.max_batch) + assumed.target_ms / 1e3
    count = max(assumed.prompts, min(assumed.most_prompts, math.ceil(rate / slices * assumed.seconds)))
    times = arrivals(assumed.arrivals, rate / slices, count, seed=1)

    @cache
    def outcome(replicas: int) -> Outcome:
        design = Design(
            replicas=replicas,
            service=service,
            controllers=max(1, round(controllers / slices)),
            slots=replicas * slices if assumed.slots == "each" else max(1, replicas * slices // controllers),
            streams=assumed.streams,
            max_batch=assumed.max_batch,
            hop_s=max(0.0, measured.hop - _call_s(measured)) / 2,
            call_s=_call_s(measured),
        )
        return simulate(design, times, seed=1)

    def enough(replicas: int) -> bool:
        found = outcome(replicas)
        return found.p99 <= within and found.lost < assumed.loss

    # From all calls full to every prompt in a call and a batch of its own, and half as much again.
    alone = rate * (service(1) + _call_s(measured))
    replicas = fewest(enough, math.ceil(least / slices), math.ceil(1.5 * alone / slices) + 8)
    if replicas is None:
        return None
    return _priced(measured, strategy, rate, words, assumed, controllers, replicas * slices, slices, outcome(replicas))


def fewest(enough: Callable[[int], bool], lowest: int, most: int) -> int | None:
    """The smallest number from `lowest` to `most` that is enough; None where none is. More are never worse."""
    step, below, above = 1, lowest - 1, lowest
    while not enough(above):
        if above >= most:
            return None
        below, above, step = above, min(most, above + step), 2 * step
    while above - below > 1:
        middle = (below + above) // 2
        below, above = (below, middle) if enough(middle) else (middle, above)
    return above


def _call_s(measured: Measured) -> float:
    """Of a replica's core."""
    return measured.cpu.serve - measured.cpu.haproxy


def _priced(
    measured: Measured,
    strategy: str,
    rate: float,
    words: int,
    assumed: Assumptions,
    controllers: int,
    replicas: int,
    slices: int,
    found: Outcome,
) -> Plan:
    """A vCPU for every process, and for HAProxy what its calls take of one."""
    memory = measured.memory_mib
    gateways = processes(rate, measured.cpu.gateway, _GATEWAY_HOLDS, assumed)
    haproxy = found.calls_per_s * slices * measured.cpu.haproxy
    replicas_mib = replicas * memory[strategy]
    by_cpu = (replicas + haproxy) / assumed.node_vcpu
    by_memory = replicas_mib / 1024 / (assumed.node_gib - memory["ray"] / 1024)
    nodes = max(1, math.ceil(max(by_cpu, by_memory)))
    vcpus = replicas + haproxy + controllers + gateways
    gib = (replicas_mib + nodes * memory["ray"] + controllers * memory["controller"] + gateways * memory["gateway"]) / 1024
    gpus = replicas * float(measured.raw.get("gpus", {}).get(strategy, 0))
    hourly = vcpus * assumed.vcpu_hour + gib * assumed.gib_hour + gpus * assumed.gpu_hour
    per_million = hourly / 3600 / rate * 1e6
    load = rate * (measured.service(strategy, words)(assumed.max_batch) + _call_s(measured)) / assumed.max_batch / replicas
    return Plan(strategy, rate, words, replicas, controllers, gateways, nodes, vcpus, gib, per_million, load, slices, found)
