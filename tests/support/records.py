"""Made-up calibration records."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pointsman.calibration.certificate import Certificate
from pointsman.calibration.record import CalibratedShare, CalibrationRecord

_HALF = CalibratedShare(strong_share=0.5, threshold=0.5, threshold_low=0.4, threshold_high=0.6)


def record(**changes: Any) -> CalibrationRecord:
    """Of the scripted mf scorer, whose win rates are spread evenly; with whatever is changed."""
    fields: dict[str, Any] = {
        "strategy": "mf",
        "checkpoint": "scripted@sha256:0",
        "data": "made-up",
        "data_sha256": "0" * 64,
        "sample_size": 1000,
        "created": datetime(2026, 1, 1, tzinfo=UTC),
        "quantiles": (0.0, 1.0),
        "thresholds": (_HALF,),
    }
    return CalibrationRecord(**{**fields, **changes})


def certified(**changes: Any) -> Certificate:
    """For the default pair of the scripted backends, at 3 % lost; with whatever is changed."""
    fields: dict[str, Any] = {
        **record().model_dump(exclude={"thresholds"}),
        "pair": "default",
        "strong_model": "big",
        "weak_model": "small",
        "judge": "made-up",
        "max_quality_loss": 0.03,
        "delta": 0.05,
        "threshold": 0.5,
        "weak_share": 0.4,
        "loss": 0.01,
        "bound": 0.029,
        "grid": "made-up",
        "expires": datetime(2100, 1, 1, tzinfo=UTC),
    }
    return Certificate(**{**fields, **changes})
