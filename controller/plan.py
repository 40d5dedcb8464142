"""From a routing spec to a plan: every name looked up, every conflict refused, before anything is asked or called."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

from pointsman.runtime.backend_settings import PairSettings
from pointsman.runtime.errors import (
    InvalidModelString,
    InvalidRoutingSpec,
    NotCertified,
    UnknownPair,
    UnknownPolicy,
    UnknownStrategy,
)
from pointsman.runtime.model_string import is_router, parse_model_string
from pointsman.runtime.no_such import no_such_sentence
from pointsman.runtime.settings import Settings
from pointsman.v1 import routing_pb2

MAX_SESSION_BYTES = 256
MAX_STRATEGIES = 5
_REMEMBERED = 1024
_LONGEST_REMEMBERED = 512  # bytes; a longer one has fields that we do not know


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do with a request.

    Either strategies score and a threshold decides (given, by a strong share or by a quality loss), or the tier is pinned, or a
    backend is named (and is then the pair's only one, as strong).
    """

    pair: str
    backends: PairSettings
    strategies: tuple[str, ...] = ()
    """In the caller's order; several are an ensemble, whose score is the mean of their calibrated ranks."""
    threshold: float | None = None
    strong_share: float | None = None
    """Becomes a threshold by the record of the checkpoint that scores."""
    max_quality_loss: float | None = None
    """Becomes one by a certificate for the pair and the checkpoint that scores."""
    pinned: routing_pb2.Tier.ValueType = routing_pb2.TIER_UNSPECIFIED
    pinned_because: routing_pb2.Reason.ValueType = routing_pb2.REASON_UNSPECIFIED
    session: str = ""
    policy: str = ""
    """The policy that the spec is from; empty where it is from none."""

    @property
    def strategy(self) -> str:
        """The names joined by `+`, as a decision has them; empty where there's none."""
        return "+".join(self.strategies)

    def backend(self, tier: routing_pb2.Tier.ValueType) -> str:
        """The name of the tier's backend."""
        return self.backends.strong if tier == routing_pb2.TIER_STRONG else self.backends.weak


class Plans:
    """Plans by one state of the settings. The specs that services send are few, so those that were planned are remembered."""

    def __init__(self, settings: Settings) -> None:
        # Not by a method of this: the two would hold one another, and outlive the settings until the collector comes to them.
        self._made = partial(_made, settings)
        self._remembered = lru_cache(_REMEMBERED)(self._made)

    def of(self, spec: routing_pb2.RoutingSpec, session: str = "") -> Plan:
        """The plan of a spec; `session` counts where the spec names none. Raises what is wrong with the spec, by name."""
        session = spec.session or session
        if len(session.encode()) > MAX_SESSION_BYTES:
            raise InvalidRoutingSpec(f"The session is longer than {MAX_SESSION_BYTES} bytes; send a hash of it.", param="session")
        if spec.session:
            spec = routing_pb2.RoutingSpec.FromString(spec.SerializeToString())
            spec.ClearField("session")
        key = spec.SerializeToString()
        plan = self._remembered(key) if len(key) <= _LONGEST_REMEMBERED else self._made(key)
        return replace(plan, session=session) if session else plan


def _made(settings: Settings, spec: bytes) -> Plan:
    return make_plan(routing_pb2.RoutingSpec.FromString(spec), settings)


def make_plan(spec: routing_pb2.RoutingSpec, settings: Settings) -> Plan:
    """The plan of a spec, without its session. Raises what is wrong with the spec, by name."""
    if backend := _named_backend(spec.model, settings):
        return _only(backend)
    spec = _expanded(spec, settings)
    pair = spec.pair or "default"
    if pair not in settings.pairs:
        raise UnknownPair(no_such_sentence("pair", pair, settings.pairs), param="pair")
    strategies = _strategies(spec, settings)
    if spec.tier != routing_pb2.TIER_UNSPECIFIED:
        if spec.tier not in routing_pb2.Tier.values():  # an open enum lets any number in
            raise InvalidRoutingSpec("The tier must be TIER_STRONG or TIER_WEAK.", param="routing.tier")
        because = routing_pb2.REASON_PINNED_BY_CALLER
        return Plan(pair, settings.pairs[pair], strategies, pinned=spec.tier, pinned_because=because, policy=spec.policy)
    if not strategies:
        raise InvalidRoutingSpec(
            "The routing spec names no strategy, policy or tier; a model string such as router-mf-0.1 does.", param="routing"
        )
    plan = replace(Plan(pair, settings.pairs[pair], strategies, policy=spec.policy), **_target(spec))
    return plan if len(strategies) == 1 or plan.max_quality_loss is None else _uncertified(plan, settings)


def _uncertified(plan: Plan, settings: Settings) -> Plan:
    """Nothing is certified for several strategies. Raises `NotCertified` where the settings say refuse."""
    if settings.controller.on_uncertified == "refuse":
        raise NotCertified(
            "A quality loss becomes a threshold by a certificate, and of several strategies there is none: name one strategy, or a "
            f"threshold, such as router-{plan.strategy}-0.5.",
            param="max_quality_loss",
        )
    return replace(plan, pinned=routing_pb2.TIER_STRONG, pinned_because=routing_pb2.REASON_NOT_CERTIFIED)


def backend_plan(spec: routing_pb2.RoutingSpec, settings: Settings, why: str) -> Plan:
    """The plan of a request that can't be routed, for the reason `why`: the backend that it names, or an error with that advice."""
    if backend := _named_backend(spec.model, settings):
        return _only(backend)
    if settings.controller.allow_backend_names:
        advice = f"Name one of the backends as model: {_names(settings.backends)}."
    else:
        advice = "Its model must name a backend, which controller.allow_backend_names in the settings allows."
    if spec.model and not is_router(spec.model):
        raise InvalidModelString(f"No backend that may be called by name is {spec.model[:80]!r}. {why} {advice}", param="model")
    raise InvalidRoutingSpec(f"{why} {advice}", param="model")


def _only(backend: str) -> Plan:
    pair = PairSettings(strong=backend, weak=backend)
    return Plan("", pair, pinned=routing_pb2.TIER_STRONG, pinned_because=routing_pb2.REASON_BACKEND_NAMED)


def _named_backend(model: str, settings: Settings) -> str | None:
    """A backend that may be called by name, by our name for it or the backend's own."""
    if not model or is_router(model) or not settings.controller.allow_backend_names:
        return None
    return next((name for name, backend in settings.backends.items() if model in (name, backend.model)), None)


def _expanded(spec: routing_pb2.RoutingSpec, settings: Settings) -> routing_pb2.RoutingSpec:
    """The spec with its model string and its policy written out; what it says itself wins over both."""
    if spec.model and (spec.strategies or spec.policy):
        raise InvalidRoutingSpec("A model string excludes strategies and policy; leave out one or the other.", param="routing.model")
    if spec.model:
        spec = _over(spec, parse_model_string(spec.model))
    if spec.policy and spec.strategies:
        raise InvalidRoutingSpec("A policy excludes strategies, which it names itself; leave out one or the other.", param="routing.policy")
    policy = spec.policy or ("default" if not spec.strategies and "default" in settings.policies else "")
    if not policy:
        return spec
    if policy not in settings.policies:
        raise UnknownPolicy(no_such_sentence("policy", policy, settings.policies), param="policy")
    chosen = settings.policies[policy]
    below = routing_pb2.RoutingSpec(strategies=chosen.strategies, pair=chosen.pair, policy=policy)
    for target in ("threshold", "strong_share", "max_quality_loss"):
        if (value := getattr(chosen, target)) is not None:
            setattr(below, target, value)
    return _over(spec, below)


def _over(spec: routing_pb2.RoutingSpec, below: routing_pb2.RoutingSpec) -> routing_pb2.RoutingSpec:
    merged = routing_pb2.RoutingSpec()
    merged.CopyFrom(below)
    merged.MergeFrom(spec)  # a set target replaces the one below, since they are one oneof
    merged.ClearField("model")
    return merged


def _strategies(spec: routing_pb2.RoutingSpec, settings: Settings) -> tuple[str, ...]:
    for name in spec.strategies:
        if name not in settings.strategies:
            raise UnknownStrategy(no_such_sentence("strategy", name, settings.strategies), param="model")
    names = tuple(dict.fromkeys(spec.strategies))
    if len(names) > MAX_STRATEGIES:
        raise InvalidRoutingSpec(f"{len(names)} strategies are more than {MAX_STRATEGIES}; name fewer.", param="routing.strategies")
    return names


def _target(spec: routing_pb2.RoutingSpec) -> dict[str, Any]:
    """The plan's field and its value."""
    if not (name := spec.WhichOneof("target")):
        raise InvalidRoutingSpec(
            "The routing spec has no target; it needs a threshold, such as router-mf-0.1 says, or a share.",
            param="routing.threshold",
        )
    return {name: _fraction(getattr(spec, name), name)}


def _fraction(value: float, name: str) -> float:
    if math.isnan(value) or not 0 <= value <= 1:
        raise InvalidRoutingSpec(f"The {name.replace('_', ' ')} must be 0 to 1.", param=f"routing.{name}")
    return value


def _names(known: Iterable[str]) -> str:
    return ", ".join(sorted(known))
