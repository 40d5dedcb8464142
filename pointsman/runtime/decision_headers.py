"""The decision as `x-pointsman-*` metadata and response headers, and what the request's own `x-pointsman-*` headers mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

from pointsman.runtime.errors import InvalidRoutingSpec
from pointsman.v1 import routing_pb2

PREFIX = "x-pointsman-"
REQUEST_ID = "x-pointsman-request-id"
_TIERS = {"strong": routing_pb2.TIER_STRONG, "weak": routing_pb2.TIER_WEAK}


@cache
def tier_name(tier: routing_pb2.Tier.ValueType) -> str:
    """`strong` or `weak`, as in headers, labels and logs."""
    return routing_pb2.Tier.Name(tier).removeprefix("TIER_").lower()


@cache
def reason_name(reason: routing_pb2.Reason.ValueType) -> str:
    """`comparison`, `nothing_to_score`, …, as in headers, labels and logs."""
    return routing_pb2.Reason.Name(reason).removeprefix("REASON_").lower()


def decision_headers(decision: routing_pb2.Decision) -> list[tuple[str, str]]:
    """The decision's headers; what is unset is left out. The request id, which every answer has, isn't among them."""
    headers = [
        ("tier", tier_name(decision.tier)),
        ("model", ascii_only(decision.model)),
        ("reason", reason_name(decision.reason)),
    ]
    if decision.strategy:
        headers.append(("strategy", decision.strategy))
    if decision.HasField("strong_win_rate"):
        headers.append(("strong-win-rate", repr(decision.strong_win_rate)))
    if decision.HasField("threshold"):
        headers.append(("threshold", repr(decision.threshold)))
    return [(PREFIX + name, value) for name, value in headers]


def ascii_only(value: str) -> str:
    """The value as a header may carry it."""
    return value.encode("ascii", "backslashreplace").decode()


def routing_from_headers(headers: Iterable[tuple[str, str]]) -> routing_pb2.RoutingSpec:
    """The routing spec of `x-pointsman-pair`, `-tier`, `-strong-share`, `-max-quality-loss` and `-session`.

    Names are lower case. Raises `InvalidRoutingSpec` naming the header.
    """
    said: Mapping[str, str] = {name.removeprefix(PREFIX): value for name, value in headers if name.startswith(PREFIX)}
    spec = routing_pb2.RoutingSpec(pair=said.get("pair", ""), session=said.get("session", ""))
    if tier := said.get("tier"):
        if tier not in _TIERS:
            raise InvalidRoutingSpec(f"{PREFIX}tier is strong or weak, not {tier[:40]!r}", param=f"{PREFIX}tier")
        spec.tier = _TIERS[tier]
    if "strong-share" in said and "max-quality-loss" in said:
        raise InvalidRoutingSpec(f"{PREFIX}strong-share and {PREFIX}max-quality-loss exclude each other", param=f"{PREFIX}strong-share")
    if "strong-share" in said:
        spec.strong_share = _fraction("strong-share", said["strong-share"])
    if "max-quality-loss" in said:
        spec.max_quality_loss = _fraction("max-quality-loss", said["max-quality-loss"])
    return spec


def _fraction(name: str, text: str) -> float:
    try:
        value = float(text) if "_" not in text else -1.0  # Python reads 1_0 as 10
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise InvalidRoutingSpec(f"{PREFIX}{name} is a number from 0 to 1, not {text[:40]!r}", param=f"{PREFIX}{name}")
    return value
