"""What ListStrategies tells of pairs."""

from __future__ import annotations

from typing import Any

from controller.listing import listed_pairs
from controller.permissions import shown_to
from controller.pins import Pins
from pointsman.runtime.settings import Settings
from pointsman.v1 import caller_pb2, route_service_pb2

_OWN: dict[str, Any] = {"base_url": "http://127.0.0.1:1/v1", "model": "own"}
_BOUGHT: dict[str, Any] = {
    "base_url": "http://127.0.0.1:2/v1",
    "model": "bought",
    "prices": {"prompt_per_million": 2.5, "completion_per_million": 10, "currency": "EUR"},
}
SETTINGS = Settings.model_validate(
    {
        "backends": {"own": _OWN, "bought": _BOUGHT},
        "pairs": {"default": {"strong": "bought", "weak": "own"}, "secret": {"strong": "bought", "weak": "bought"}},
    }
)


def test_a_pair_has_the_prices_that_the_settings_have() -> None:
    """Of a backend without any there is no price, which isn't a price of nothing."""
    default, secret = listed_pairs(SETTINGS, Pins())
    assert default.strong_prices == route_service_pb2.Prices(prompt_per_million=2.5, completion_per_million=10, currency="EUR")
    assert not default.HasField("weak_prices")
    assert secret.weak_prices == secret.strong_prices


def test_prices_are_shown_to_those_alone_who_may_use_the_pair() -> None:
    """The pair goes as a whole."""
    caller = caller_pb2.Caller(name="bob", pairs=caller_pb2.Caller.Allowed(names=["default"]))
    listed = route_service_pb2.ListStrategiesResponse(pairs=listed_pairs(SETTINGS, Pins()))
    assert [each.name for each in shown_to(caller, listed).pairs] == ["default"]
