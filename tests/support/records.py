"""Made-up calibration records."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pointsman.runtime.records import CalibratedShare, CalibrationRecord

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
