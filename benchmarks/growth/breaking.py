"""What breaks first: the rate at which each part that has a limit is full. On paper, from measured figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Final

from benchmarks.growth.measured import Measured
from benchmarks.growth.planner import Assumptions, Plan
from pointsman.runtime.backend_settings import BackendSettings
from pointsman.runtime.controller_settings import ControllerSettings, DecisionLogSettings
from pointsman.runtime.gateway_settings import GatewaySettings
from pointsman.runtime.settings import StrategySettings

ANSWER_S: Final = 5.0
"""Assumed: how long a backend takes for an answer."""
_LIMITS_PER_REQUEST: Final = 2
_STREAMS: Final = 100
_PORTS: Final = 28_232  # Linux's default ip_local_port_range, 32768 to 60999
_DESCRIPTORS: Final = 1024  # the usual soft limit
_HAPROXY_THREADS: Final = 4
_STRATEGIES: Final = 5


@dataclass(frozen=True, slots=True)
class Limit:
    """One thing that fills up."""

    what: str
    arithmetic: str
    rate: float
    """Requests a second at which one of it is full; infinite for what only grows."""
    needed: Callable[[Plan], str]
    """At a plan's rate."""
    then: str


def limits(measured: Measured, plans: Mapping[float, Plan], assumed: Assumptions) -> list[Limit]:
    """By the rate at which they are full, lowest first. `plans` are one strategy's by rate, up to the largest."""
    found = [
        *_concurrency(),
        *_processes(measured, assumed),
        *_scorers(plans, assumed),
        *_calls(measured, assumed),
        *_beside(measured, assumed),
    ]
    return sorted(found, key=lambda each: each.rate)


def _many(unit: str, one: float) -> Callable[[Plan], str]:
    return lambda plan: f"{unit}: {max(1, -(-plan.rate // one)):,.0f}"


def _concurrency() -> list[Limit]:
    gateway, controller = GatewaySettings().max_concurrent, ControllerSettings().max_concurrent
    connections = BackendSettings.model_fields["max_connections"].default
    held = f"answers take {ANSWER_S:g} s (assumed)"
    rows = [
        ("file descriptors of one process", f"{_DESCRIPTORS:,} (usual soft limit), one a request", _DESCRIPTORS, "processes",
         "raise the limit (ulimit -n, LimitNOFILE) above max_concurrent"),
        ("requests in progress in one gateway", f"gateway.max_concurrent {gateway:,}", gateway, "gateways",
         "429; more gateways, or a higher max_concurrent where memory allows"),
        ("one controller's connections to a pair", f"2 × max_connections {connections:,}, half of the requests each", 2 * connections,
         "controllers", "requests wait for a connection; more controllers, or more connections"),
        ("requests in progress in one controller", f"controller.max_concurrent {controller:,}", controller, "controllers",
         "429; more controllers"),
        ("ports towards one backend's address", f"{_PORTS:,} (Linux's default range), half of the requests each", 2 * _PORTS, "addresses",
         "an address for each controller, as containers have"),
    ]  # fmt: skip
    return [
        Limit(what, f"{arithmetic}; {held}", most / ANSWER_S, _many(unit, most / ANSWER_S), then)
        for what, arithmetic, most, unit, then in rows
    ]


def _processes(measured: Measured, assumed: Assumptions) -> list[Limit]:
    cpu, use = measured.cpu, assumed.process_use
    return [
        Limit("one controller's core", f"{cpu.controller * 1e3:.2f} ms a decision, {use:.0%} used", use / cpu.controller,
              lambda plan: f"controllers: {plan.controllers:,}", "more controllers; gateways go round them"),
        Limit("one gateway's core", f"{cpu.gateway * 1e3:.2f} ms a decision, {use:.0%} used", use / cpu.gateway,
              lambda plan: f"gateways: {plan.gateways:,}", "more gateways behind one name"),
    ]  # fmt: skip


def _scorers(plans: Mapping[float, Plan], assumed: Assumptions) -> list[Limit]:
    largest = plans[max(plans)]
    rate = largest.rate / largest.replicas
    own = f"{rate:.0f}/s a replica of {largest.strategy}, {largest.words} words"
    return [
        Limit("one machine of replicas", f"{assumed.node_vcpu} vCPUs (assumed), a replica each; {own}", assumed.node_vcpu * rate,
              lambda plan: f"nodes: {plan.nodes:,}",
              "`pointsman up` starts a Ray of one machine, and controller.scorers names one address: a Ray cluster behind it (not tried)"),
        Limit("streams of a controller's connection to HAProxy", f"{_STREAMS}; reached from {_STREAMS} replicas on; {own}", _STREAMS * rate,
              lambda plan: f"in one controller at most: {plan.outcome.most_in_flight:,}",
              "calls wait in the client, uncoalesced: RAY_SERVE_HAPROXY_H2_FE_MAX_CONCURRENT_STREAMS, or more channels"),
        Limit("Serve's own controller", f"growth from 100 replicas on is an open report (ray#63118), not measured here; {own}",
              100 * rate, lambda plan: f"replicas: {plan.replicas:,}",
              "unknown; several clusters of some 100 replicas are the way round"),
    ]  # fmt: skip


def _calls(measured: Measured, assumed: Assumptions) -> list[Limit]:
    cpu, queue = measured.cpu, StrategySettings().max_queued
    crowd = queue // assumed.max_batch + 1
    haproxy = _HAPROXY_THREADS / cpu.haproxy

    def calls(plan: Plan) -> float:
        return plan.outcome.calls_per_s * plan.sliced

    return [
        Limit("a replica's queue", f"{queue} prompts: {crowd} controllers with a full call of {assumed.max_batch} each overflow it",
              crowd * assumed.process_use / cpu.controller,
              lambda plan: f"{plan.controllers * plan.outcome.call_size:,.0f} prompts, were all at one",
              "RESOURCE_EXHAUSTED, and the controller halves its calls for 2 s: a higher max_queued, or slots shared out"),
        Limit("one HAProxy", f"{cpu.haproxy * 1e3:.3f} ms a call, {_HAPROXY_THREADS} threads; one prompt a call", haproxy,
              lambda plan: f"{calls(plan):,.0f} calls/s: {calls(plan) / haproxy:.2f} of one",
              "one on every node; controllers spread over them"),
        Limit("coalescing in controllers", "a call has what one controller has, and that only while all its slots are taken", inf,
              lambda plan: f"{plan.outcome.call_size:.1f} prompts a call, {calls(plan) * cpu.serve:,.1f} cores of Serve for calls",
              "replicas still gather batches, but every call costs Serve its CPU: slots shared out (the section above)"),
        Limit("probes of readiness", f"{_STRATEGIES} a second from each controller, {cpu.serve * 1e3:.2f} ms each", inf,
              lambda plan: f"{plan.controllers * _STRATEGIES:,}/s: {plan.controllers * _STRATEGIES * cpu.serve:.2f} cores",
              "a longer probe_interval_s"),
    ]  # fmt: skip


def _beside(measured: Measured, assumed: Assumptions) -> list[Limit]:
    raw, log, use = measured.raw, DecisionLogSettings(), assumed.process_use
    increment, receipt = raw["redis_ms_per_increment"] / 1e3, raw["receipt_bytes"]
    redis = use / increment / _LIMITS_PER_REQUEST
    minutes = log.max_bytes * (log.keep + 1) / receipt / (use / measured.cpu.controller) / 60
    return [
        Limit("one Redis for limits", f"{increment * 1e6:.1f} µs an increment, {_LIMITS_PER_REQUEST} a request (assumed), {use:.0%} used",
              redis,
              _many("Redis servers", redis), "keys spread over several; or counted locally and settled now and then"),
        Limit("the decision log", f"{receipt} bytes a line; {log.keep + 1} × {log.max_bytes >> 20} MiB: {minutes:.0f} min of one",
              inf,
              lambda plan: f"{plan.rate * receipt / 1e6:,.1f} MB/s, {plan.rate * receipt * 86_400 / 1e9:,.0f} GB a day",
              "collect it as it's written; larger files"),
        Limit("Prometheus series", f"{raw['controller_series']} of a controller, of five strategies", inf,
              lambda plan: f"{plan.controllers * raw['controller_series']:,} of controllers", "nothing by number"),
        Limit("connections of gateways to controllers", "each to each", inf, lambda plan: f"{plan.gateways * plan.controllers:,}",
              "nothing by number; but the list of controllers is fixed in the settings"),
        Limit("decision caches", "each controller has its own: a repeated text is scored once by each", inf,
              lambda plan: f"caches: {plan.controllers:,}",
              "sessions that stay with a controller"),
    ]  # fmt: skip
