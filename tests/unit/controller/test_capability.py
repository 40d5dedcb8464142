"""What a request needs, what a backend lacks, and who may answer."""

from __future__ import annotations

from typing import Any

import pytest

from controller.candidates import candidates_of, capable
from controller.capability import lacks
from controller.needs import Needs
from controller.plan import Plan
from pointsman.runtime.backend_settings import BackendSettings, PairSettings
from pointsman.runtime.errors import MissingCapability
from pointsman.v1 import routing_pb2

STRONG, WEAK = routing_pb2.TIER_STRONG, routing_pb2.TIER_WEAK


def _backend(model: str = "m", **settings: Any) -> BackendSettings:
    return BackendSettings(base_url="http://x/v1", model=model, **settings)


def test_a_backend_lacks_what_it_does_not_say_it_has() -> None:
    """null is everything; an empty list is nothing."""
    needs = Needs({"vision": "messages[0]", "tools": "tools"}, 5000)
    assert lacks(_backend(), needs) == {}
    assert lacks(_backend(supports=["tools"]), needs) == {"vision": "messages[0]"}
    assert set(lacks(_backend(supports=[], max_context=4096), needs)) == {
        "vision",
        "tools",
        "a context of about 5000 tokens (it has 4096)",
    }


BACKENDS = {
    "s": _backend("big", fallbacks=["s2", "w"]),
    "s2": _backend("big"),
    "w": _backend("small", fallbacks=["w2", "s2"]),
    "w2": _backend("other"),
}
PAIR = PairSettings(strong="s", weak="w")


@pytest.mark.parametrize(
    ("plan", "tier", "order"),
    [
        (Plan("p", PAIR, ("mf",)), WEAK, ["w", "w2", "s2", "s"]),
        (Plan("p", PAIR, ("mf",)), STRONG, ["s", "s2", "w", "w2"]),
        (Plan("p", PAIR, ("mf",), max_quality_loss=0.1), STRONG, ["s", "s2"]),
        (Plan("p", PAIR, ("mf",), max_quality_loss=0.1), WEAK, ["w", "s2", "s"]),
        (Plan("p", PAIR, pinned=WEAK), WEAK, ["w", "w2", "s2"]),
        (Plan("", PairSettings(strong="w2", weak="w2"), pinned=STRONG), STRONG, ["w2"]),
        (Plan("p", PairSettings(strong="w2", weak="w2"), ("mf",)), WEAK, ["w2"]),
    ],
)
def test_who_may_answer_stands_in_order(plan: Plan, tier: routing_pb2.Tier.ValueType, order: list[str]) -> None:
    """The tier's own list, then the other tier's; never past a pin, and never past what a bounded loss is about."""
    assert [each.backend for each in candidates_of(plan, tier, BACKENDS)] == order


def test_a_weak_backend_of_the_same_models_name_is_no_strong_one() -> None:
    """Two servers may call different models the same."""
    backends = {"s": _backend("default"), "w": _backend("default")}
    assert [each.backend for each in candidates_of(Plan("p", PAIR, ("mf",), max_quality_loss=0.1), STRONG, backends)] == ["s"]


def test_a_fallback_counts_as_its_tier_unless_it_is_the_other_tiers_backend() -> None:
    """So strong's own fallback is no spending, and weak in strong's list is weak."""
    tiers = {each.backend: each.tier for each in candidates_of(Plan("p", PAIR, ("mf",)), STRONG, BACKENDS)}
    assert tiers == {"s": STRONG, "s2": STRONG, "w": WEAK, "w2": WEAK}


def test_where_nobody_is_able_the_refusal_says_what_is_missing() -> None:
    """Each backend by name, and the field of the first."""
    backends = {"s": _backend(supports=["tools"]), "w": _backend(supports=[])}
    candidates = candidates_of(Plan("p", PAIR, ("mf",)), WEAK, backends)
    with pytest.raises(MissingCapability) as caught:
        capable(candidates, Needs({"vision": "messages[2]"}), backends, "p")
    assert "w lacks vision; s lacks vision" in caught.value.message
    assert caught.value.param == "messages[2]"
