"""Which backends may answer a request, in the order in which they are tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from controller.capability import lacks
from controller.needs import Needs
from controller.plan import Plan
from pointsman.runtime.backend_settings import BackendSettings
from pointsman.runtime.errors import MissingCapability
from pointsman.v1 import routing_pb2

_OTHER = {routing_pb2.TIER_STRONG: routing_pb2.TIER_WEAK, routing_pb2.TIER_WEAK: routing_pb2.TIER_STRONG}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A backend, and the tier that it answers for; `chosen` where it stands in the list of the tier that was decided."""

    backend: str
    tier: routing_pb2.Tier.ValueType
    chosen: bool = True


def candidates_of(plan: Plan, tier: routing_pb2.Tier.ValueType, backends: Mapping[str, BackendSettings]) -> list[Candidate]:
    """The tier's backend, its own fallbacks, then the other tier's, each once.

    A pinned tier or a named backend stays with its own list. Where the quality loss is bounded, what was to be strong never goes weak,
    and only a backend counts that serves a model which the bound is about.
    """
    order = _with_fallbacks(plan, tier, backends, chosen=True)
    if plan.pinned == routing_pb2.TIER_UNSPECIFIED:
        order += _with_fallbacks(plan, _OTHER[tier], backends, chosen=False)
    unique: dict[str, Candidate] = {}
    for each in order:
        if not unique or plan.max_quality_loss is None or _keeps_the_bound(plan, tier, each, backends):
            unique.setdefault(each.backend, each)
    return list(unique.values())


def without_other_tier(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those of the first one's list: where a pair has no fallback, the other tier answers only for a capability, never for a failure."""
    return [each for each in candidates if each.chosen == candidates[0].chosen]


def capable(candidates: Sequence[Candidate], needs: Needs, backends: Mapping[str, BackendSettings], pair: str) -> list[Candidate]:
    """Those that lack nothing. Raises `MissingCapability` where none is left."""
    missing = {each.backend: lacks(backends[each.backend], needs) for each in candidates}
    if able := [each for each in candidates if not missing[each.backend]]:
        return able
    what = "; ".join(f"{name} lacks {', '.join(lacking)}" for name, lacking in missing.items())
    first = next(iter(missing[candidates[0].backend].values()))
    of = f" of the pair {pair}" if pair else ""
    advice = "Leave that out, or ask for another pair"
    raise MissingCapability(f"No backend{of} that may answer can take this request: {what}. {advice}.", param=first)


def _with_fallbacks(
    plan: Plan, tier: routing_pb2.Tier.ValueType, backends: Mapping[str, BackendSettings], *, chosen: bool
) -> list[Candidate]:
    own = plan.backend(tier)
    return [Candidate(own, tier, chosen), *(Candidate(name, _tier_of(name, plan, tier), chosen) for name in backends[own].fallbacks)]


def _tier_of(name: str, plan: Plan, tier: routing_pb2.Tier.ValueType) -> routing_pb2.Tier.ValueType:
    """A fallback counts as the tier it stands in for, unless it is the other tier's own backend."""
    return _OTHER[tier] if name == plan.backend(_OTHER[tier]) != plan.backend(tier) else tier


def _keeps_the_bound(plan: Plan, tier: routing_pb2.Tier.ValueType, candidate: Candidate, backends: Mapping[str, BackendSettings]) -> bool:
    if tier == routing_pb2.TIER_STRONG and candidate.backend == plan.backends.weak:
        return False
    bounded = {backends[plan.backends.strong].model, backends[plan.backend(tier)].model}
    return backends[candidate.backend].model in bounded
