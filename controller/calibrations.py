"""Calibration records as the contract's message."""

from __future__ import annotations

from pointsman.runtime.records import CalibrationRecord
from pointsman.v1 import calibration_pb2


def calibration_of(record: CalibrationRecord) -> calibration_pb2.Calibration:
    """The message; the quantiles, from which any other share's threshold is read, stay here."""
    message = calibration_pb2.Calibration(
        name=record.name,
        strategy=record.strategy,
        checkpoint=record.checkpoint,
        embedder=record.embedder,
        data_sha256=record.data_sha256,
        sample_size=record.sample_size,
        thresholds=[calibration_pb2.CalibratedThreshold(**each.model_dump()) for each in record.thresholds],
    )
    message.created.FromDatetime(record.created)
    return message
