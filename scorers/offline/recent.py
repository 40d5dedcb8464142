"""Calibrates on what the controller remembers of its recent traffic: AdminService.Calibrate without examples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import grpc

from pointsman.runtime.error_forms import status_of
from pointsman.runtime.errors import Unavailable
from pointsman.v1 import admin_service_pb2, admin_service_pb2_grpc, calibration_pb2

_TIMEOUT_S = 60.0
Target = calibration_pb2.CalibratedThreshold


def calibrate_recent(address: str, strategy: str, shares: Sequence[float], spend: float | None) -> calibration_pb2.Calibration:
    """The record, which the controller at `address` has written and uses. Raises `Unavailable` in the controller's own words."""
    targets = [Target(strong_share=share) for share in shares] if spend is None else [Target(spend=spend)]
    start = admin_service_pb2.CalibrateRequest.Start(strategy=strategy, targets=targets)
    with grpc.insecure_channel(address) as channel:
        try:
            answer = _stub(channel).Calibrate(_only(start), timeout=_TIMEOUT_S)
        except grpc.RpcError as error:
            status = status_of(error)
            raise Unavailable(status.message or f"{address} doesn't answer; --recent needs the controller's address.") from None
    return answer.calibration  # type: ignore[no-any-return]


def _stub(channel: grpc.Channel) -> Any:
    return admin_service_pb2_grpc.AdminServiceStub(channel)


def _only(start: admin_service_pb2.CalibrateRequest.Start) -> Iterator[admin_service_pb2.CalibrateRequest]:
    yield admin_service_pb2.CalibrateRequest(start=start)
