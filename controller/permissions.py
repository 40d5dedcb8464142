"""What a caller may use, by the gateway's word: looked at once its routing spec is resolved, and before anything is asked or called."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

from controller.plan import Plan, Plans, backend_plan
from pointsman.runtime.errors import PermissionDenied, PointsmanError, UnknownPair, UnknownPolicy, UnknownStrategy
from pointsman.runtime.settings import Settings
from pointsman.v1 import caller_pb2, route_service_pb2, routing_pb2

Kind = Literal["strategies", "pairs", "policies", "backends"]
NOBODY: Final = caller_pb2.Caller(may_pin=True)
"""Who is asked for no key; everything is allowed."""
_UNKNOWN: Final[dict[type[PointsmanError], Kind]] = {UnknownStrategy: "strategies", UnknownPair: "pairs", UnknownPolicy: "policies"}


def permitted_plan(spec: routing_pb2.RoutingSpec, plans: Plans, caller: caller_pb2.Caller, *, session: str = "") -> Plan:
    """The plan of a spec, for a caller. Raises `PermissionDenied` too, naming what is allowed.

    To whom a list allows names, one that isn't there and one that isn't allowed look the same.
    """
    try:
        plan = plans.of(spec, session)
    except (UnknownStrategy, UnknownPair, UnknownPolicy) as error:
        if caller.HasField(kind := _UNKNOWN[type(error)]):
            raise _denied(kind, caller, error.param) from None
        raise
    check(plan, caller)
    return plan


def permitted_backend_plan(spec: routing_pb2.RoutingSpec, settings: Settings, caller: caller_pb2.Caller, why: str) -> Plan:
    """`backend_plan` for a caller. Raises `PermissionDenied` too."""
    plan = backend_plan(spec, settings, why)
    check(plan, caller)
    return plan


def check(plan: Plan, caller: caller_pb2.Caller) -> None:
    """Raises `PermissionDenied` where the caller may not do what is planned."""
    if plan.pinned_because == routing_pb2.REASON_BACKEND_NAMED:
        _need("backends", [plan.backends.strong], caller, "model")
        return
    _need("pairs", [plan.pair], caller, "pair")
    if plan.policy:
        _need("policies", [plan.policy], caller, "policy")
    _need("strategies", plan.strategies, caller, "model")
    if plan.pinned_because == routing_pb2.REASON_PINNED_BY_CALLER and not caller.may_pin:
        raise PermissionDenied("This key may not pin its requests to a tier; leave the tier out.", param="routing.tier")


def permitted_strategies(names: Iterable[str], settings: Settings, caller: caller_pb2.Caller) -> list[str]:
    """Those to compare; no names are all that the caller may use. Raises `PermissionDenied`."""
    if asked := list(names):
        _need("strategies", asked, caller, "strategies")
        return asked
    return [name for name in settings.strategies if allows("strategies", name, caller)]


def allows(kind: Kind, name: str, caller: caller_pb2.Caller) -> bool:
    """Whether the caller may use what is so named."""
    return not caller.HasField(kind) or name in getattr(caller, kind).names


def shown_to(caller: caller_pb2.Caller, listed: route_service_pb2.ListStrategiesResponse) -> route_service_pb2.ListStrategiesResponse:
    """What is there, without what the caller may not use."""
    for kind in ("strategies", "pairs"):
        kept = [each for each in getattr(listed, kind) if allows(kind, each.name, caller)]
        listed.ClearField(kind)
        getattr(listed, kind).extend(kept)
    ensembles = [each for each in listed.ensembles if all(allows("strategies", name, caller) for name in each.name.split("+"))]
    listed.ClearField("ensembles")
    listed.ensembles.extend(ensembles)
    listed.policies[:] = [name for name in listed.policies if allows("policies", name, caller)]
    listed.backends[:] = [name for name in listed.backends if allows("backends", name, caller)]
    return listed


def _need(kind: Kind, names: Iterable[str], caller: caller_pb2.Caller, param: str) -> None:
    if not all(allows(kind, name, caller) for name in names):
        raise _denied(kind, caller, param)


def _denied(kind: Kind, caller: caller_pb2.Caller, param: str | None) -> PermissionDenied:
    allowed = ", ".join(sorted(getattr(caller, kind).names)) or "none"
    return PermissionDenied(f"Of the {kind} this key may use: {allowed}.", param=param)
