"""Records, certificates and live traffic as the contract's messages."""

from __future__ import annotations

from controller.watch import Live
from pointsman.calibration.certificate import Certificate
from pointsman.calibration.files import Record
from pointsman.v1 import calibration_pb2, route_service_pb2


def calibration_of(record: Record) -> calibration_pb2.Calibration:
    """The message; the quantiles, from which any other share's threshold is read, stay here."""
    message = calibration_pb2.Calibration(
        name=record.name,
        strategy=record.strategy,
        checkpoint=record.checkpoint,
        embedder=record.embedder,
        data_sha256=record.data_sha256,
        sample_size=record.sample_size,
    )
    message.created.FromDatetime(record.created)
    if isinstance(record, Certificate):
        message.thresholds.append(_certified(record))
    else:
        message.thresholds.extend(calibration_pb2.CalibratedThreshold(**each.model_dump()) for each in record.thresholds)
    return message


def _certified(certificate: Certificate) -> calibration_pb2.CalibratedThreshold:
    message = calibration_pb2.CalibratedThreshold(
        max_quality_loss=certificate.max_quality_loss,
        threshold=certificate.threshold,
        delta=certificate.delta,
        pair=certificate.pair,
        weak_share=certificate.weak_share,
        bound=certificate.bound,
        judge=certificate.judge,
    )
    message.expires.FromDatetime(certificate.expires)
    return message


def live_of(live: Live) -> route_service_pb2.Live:
    """What `pointsman strategies` shows of recent traffic."""
    return route_service_pb2.Live(
        win_rates=len(live.recent),
        shares=[
            route_service_pb2.Live.Share(target=percent / 100, strong_share=each.strong_share, decisions=each.decisions)
            for percent, each in sorted(live.shares.items())
        ],
        drifts=[
            route_service_pb2.Live.Drift(calibration=each.record, index=each.index, win_rates=each.win_rates, past_limit=each.past_limit)
            for each in live.drifts
        ],
    )
