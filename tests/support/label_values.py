"""Which values labels can have, where that is written down in the code: a rule that asks for another would never say anything."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

import grpc
from prometheus_client import CollectorRegistry, generate_latest

from gateway import openapi
from pointsman.runtime.decision_headers import reason_name, tier_name
from pointsman.runtime.errors import WIRE_FORMS
from pointsman.runtime.event_loop import EventLoopWatch
from pointsman.v1 import routing_pb2

_MATCHER: Final = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
_GROUP: Final = re.compile(r"(.*)\(([^()]*)\)(.*)")
_ERRORS: Final = frozenset(form.reason for form in WIRE_FORMS.values())
_WRITTEN: Final[Mapping[str, frozenset[str]]] = {
    "call": frozenset({"route", "chat", "completions", "responses", "embeddings"}),
    "error": _ERRORS | {""},
    "outcome": frozenset(error.lower() for error in _ERRORS)
    | {"ok", "breaker_open", "hit", "miss", "shared", "strong", "weak", "refused", "capped_weak", "capped_refused"},
    "reason": frozenset(reason_name(reason) for reason in routing_pb2.Reason.values() if reason),
    "tier": frozenset(tier_name(tier) for tier in routing_pb2.Tier.values() if tier),
    "shadow_tier": frozenset(tier_name(tier) for tier in routing_pb2.Tier.values() if tier),
    "status": frozenset(f"{first}xx" for first in "2345") | frozenset(code.name for code in grpc.StatusCode),
    "estimated": frozenset({"true", "false"}),
    "generation": frozenset("012"),
    "job": frozenset({"pointsman-gateway", "pointsman-controller"}),
}


def unknown_values(expression: str) -> list[str]:
    """`label=value` of each that the label can't have; a dashboard's variable is any."""
    return [
        f"{label}={value}"
        for label, operator, asked in _MATCHER.findall(expression)
        for value in (_alternatives(asked) if "~" in operator else [asked])
        if label in _known() and not value.startswith("$") and value not in _known()[label]
    ]


@cache
def _known() -> dict[str, frozenset[str]]:
    registry = CollectorRegistry()
    EventLoopWatch(registry)  # the one histogram of which a rule asks for a bucket
    buckets = frozenset(re.findall(r'le="([^"]+)"', generate_latest(registry).decode()))
    return {**_WRITTEN, "le": buckets, "endpoint": frozenset(openapi.document()["paths"]) | {"unmatched"}}


def _alternatives(pattern: str) -> Iterator[str]:
    """Of a regular expression with at most one group, and nothing else in it but alternatives."""
    if group := _GROUP.fullmatch(pattern):
        yield from (group[1] + each + group[3] for each in group[2].split("|"))
    else:
        yield from pattern.split("|")
