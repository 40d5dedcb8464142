"""What may stand in a request's `model`."""

from __future__ import annotations

import pytest

from gateway.models import exists, model_ids
from pointsman.v1.calibration_pb2 import CalibratedThreshold, Calibration
from pointsman.v1.route_service_pb2 import Ensemble, ListStrategiesResponse, Strategy

SHARES = [CalibratedThreshold(strong_share=share) for share in (0.5, 0.125, 1e-6, 0.0, 1.0)]
LISTED = ListStrategiesResponse(
    strategies=[
        Strategy(name="mf", calibrations=[Calibration(thresholds=[*SHARES, CalibratedThreshold(spend=3.0)])]),
        Strategy(name="random"),
    ],
    ensembles=[Ensemble(name="mf+random", calibrations=[Calibration(thresholds=SHARES[:1])])],
    policies=["support-bot"],
    backends=["gpt-x"],
)


def test_strategies_ensembles_shares_policies_and_backends_are_listed() -> None:
    """Shares as a model string writes them: no exponent, no needless zero."""
    assert model_ids(LISTED) == [
        "router-mf-0.5",
        *(f"router-mf-{percent}pct" for percent in ("50", "12.5", "0.0001", "0", "100")),
        "router-random-0.5",
        "router-mf+random-0.5",
        "router-mf+random-50pct",
        "router:support-bot",
        "gpt-x",
    ]


@pytest.mark.parametrize("model", ["router-mf-0.1", "router-mf+random-0.3", "router-mf-30pct", "router:support-bot", "gpt-x"])
def test_a_model_that_may_be_asked_for_exists(model: str) -> None:
    """Also with a threshold that the list can't show."""
    assert exists(model, LISTED)


@pytest.mark.parametrize("model", ["router-mf-2", "router-nope-0.1", "router-mf+nope-0.1", "router:nope", "gpt-4", "", "router-mf"])
def test_any_other_doesnt(model: str) -> None:
    """Neither wrong strings nor unknown names."""
    assert not exists(model, LISTED)
