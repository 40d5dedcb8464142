"""What a caller may use, once its routing spec is resolved."""

from __future__ import annotations

from typing import Any

import pytest

from controller.permissions import NOBODY, permitted_backend_plan, permitted_plan, permitted_strategies, shown_to
from controller.plan import Plans
from pointsman.runtime.backend_settings import BackendSettings
from pointsman.runtime.errors import PermissionDenied, UnknownPair, UnknownStrategy
from pointsman.runtime.settings import Settings
from pointsman.v1 import caller_pb2, route_service_pb2, routing_pb2

Spec, Allowed = routing_pb2.RoutingSpec, caller_pb2.Caller.Allowed
BACKEND = BackendSettings(base_url="http://x/v1", model="m")
SETTINGS = Settings.model_validate(
    {
        "controller": {"allow_backend_names": True},
        "strategies": {"mf": {}, "bert": {}, "random": {}},
        "backends": {"strong": BACKEND, "weak": BACKEND},
        "pairs": {"default": {"strong": "strong", "weak": "weak"}, "other": {"strong": "weak", "weak": "weak"}},
        "policies": {
            "default": {"strategies": ["mf"], "threshold": 0.5},
            "costly": {"strategies": ["bert"], "pair": "other", "threshold": 0},
        },
    }
)
PLANS = Plans(SETTINGS)


def caller(*, may_pin: bool = False, **allowed: Any) -> caller_pb2.Caller:
    """Who may use these names alone."""
    lists: dict[str, Any] = {kind: Allowed(names=names) for kind, names in allowed.items()}
    return caller_pb2.Caller(name="a", may_pin=may_pin, **lists)


@pytest.mark.parametrize(
    ("spec", "allowed"),
    [
        (Spec(model="router-mf-0.5"), {"strategies": ["mf"], "pairs": ["default"]}),
        (Spec(model="router-mf+bert-0.5"), {"strategies": ["mf", "bert"]}),
        (Spec(model="router:costly"), {"policies": ["costly"], "strategies": ["bert"], "pairs": ["other"]}),
        (Spec(), {"policies": ["default"]}),
        (Spec(model="strong"), {"backends": ["strong"], "pairs": [], "strategies": []}),
        (Spec(tier=routing_pb2.TIER_WEAK, strategies=["mf"]), {"may_pin": True}),
        (Spec(model="router-mf-0.5", pair="other"), {}),
    ],
    ids=str,
)
def test_what_is_allowed_passes(spec: routing_pb2.RoutingSpec, allowed: dict[str, Any]) -> None:
    """A list that isn't there allows everything."""
    permitted_plan(spec, PLANS, caller(**allowed))
    permitted_plan(spec, PLANS, NOBODY)


@pytest.mark.parametrize(
    ("spec", "allowed", "sentence"),
    [
        (Spec(model="router-bert-0.5"), {"strategies": ["mf"]}, "Of the strategies this key may use: mf."),
        (Spec(model="router-mf+bert-0.5"), {"strategies": ["mf", "random"]}, "Of the strategies this key may use: mf, random."),
        (Spec(model="router:costly"), {"strategies": ["mf"]}, "Of the strategies this key may use: mf."),
        (Spec(model="router:costly"), {"pairs": ["default"]}, "Of the pairs this key may use: default."),
        (Spec(model="router:costly"), {"policies": ["default"]}, "Of the policies this key may use: default."),
        (Spec(), {"policies": ["costly"]}, "Of the policies this key may use: costly."),
        (Spec(model="router-mf-0.5", pair="other"), {"pairs": []}, "Of the pairs this key may use: none."),
        (Spec(model="weak"), {"backends": []}, "Of the backends this key may use: none."),
        (Spec(tier=routing_pb2.TIER_STRONG, strategies=["mf"]), {}, "This key may not pin its requests to a tier; leave the tier out."),
        (Spec(model="router-nope-0.5"), {"strategies": ["mf"]}, "Of the strategies this key may use: mf."),
        (Spec(model="router-mf-0.5", pair="nope"), {"pairs": ["default"]}, "Of the pairs this key may use: default."),
        (Spec(model="router:nope"), {"policies": ["default"]}, "Of the policies this key may use: default."),
    ],
    ids=str,
)
def test_anything_else_is_refused_with_what_is_allowed(spec: routing_pb2.RoutingSpec, allowed: dict[str, Any], sentence: str) -> None:
    """What isn't there is told as what isn't allowed, so that names can't be found by trying."""
    with pytest.raises(PermissionDenied) as caught:
        permitted_plan(spec, PLANS, caller(**allowed))
    assert caught.value.message == sentence


def test_to_whom_nothing_is_denied_what_isnt_there_is_told_so() -> None:
    """With the names that there are."""
    with pytest.raises(UnknownPair, match="default, other"):
        permitted_plan(Spec(model="router-mf-0.5", pair="nope"), PLANS, caller(strategies=["mf"]))


def test_a_backend_that_must_be_named_must_be_allowed_too() -> None:
    """Such as for embeddings."""
    permitted_backend_plan(Spec(model="weak"), SETTINGS, caller(backends=["weak"]), "why")
    with pytest.raises(PermissionDenied, match="may use: weak"):
        permitted_backend_plan(Spec(model="strong"), SETTINGS, caller(backends=["weak"]), "why")


def test_strategies_are_compared_and_listed_as_far_as_they_are_allowed() -> None:
    """No names are all that are allowed."""
    some = caller(strategies=["mf", "random"], pairs=["other"], policies=[], backends=["weak"])
    assert permitted_strategies([], SETTINGS, some) == ["mf", "random"]
    assert permitted_strategies(["random"], SETTINGS, some) == ["random"]
    with pytest.raises(PermissionDenied):
        permitted_strategies(["mf", "bert"], SETTINGS, some)
    listed = route_service_pb2.ListStrategiesResponse(policies=["default"], backends=["strong", "weak"])
    for name in SETTINGS.strategies:
        listed.strategies.add(name=name)
    for name in SETTINGS.pairs:
        listed.pairs.add(name=name)
    shown = shown_to(some, listed)
    assert [each.name for each in shown.strategies] == ["mf", "random"]
    assert ([each.name for each in shown.pairs], list(shown.policies), list(shown.backends)) == (["other"], [], ["weak"])


def test_plans_are_remembered_without_the_sessions_that_come_with_them() -> None:
    """One session's plan isn't another's, and a wrong spec is wrong each time."""
    plans = Plans(SETTINGS)
    first, again = plans.of(Spec(model="router-mf-0.5"), "a"), plans.of(Spec(model="router-mf-0.5", session="b"))
    assert (first.session, again.session, plans.of(Spec(model="router-mf-0.5")).session) == ("a", "b", "")
    assert first.backends is again.backends
    for _ in range(2):
        with pytest.raises(UnknownStrategy):
            plans.of(Spec(model="router-nope-0.5"))
