"""Calibrates on what the controller remembers of its recent traffic: AdminService.Calibrate without examples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import grpc

from pointsman.client.channel import channel_options
from pointsman.client.failures import from_rpc_error
from pointsman.runtime.client_tls import ControllerAccess
from pointsman.v1 import admin_service_pb2, admin_service_pb2_grpc, calibration_pb2

_TIMEOUT_S: Final = 60.0
Target = calibration_pb2.CalibratedThreshold


def calibrate_recent(
    address: str, access: ControllerAccess, strategy: str, shares: Sequence[float], spend: float | None
) -> calibration_pb2.Calibration:
    """The record, which the controller at `address` has written and uses from now on. Raises `RouteError`."""
    targets = [Target(strong_share=share) for share in shares] if spend is None else [Target(spend=spend)]
    start = admin_service_pb2.CalibrateRequest.Start(strategy=strategy, targets=targets)
    with access.channel(address, channel_options()) as channel:
        stub: Any = admin_service_pb2_grpc.AdminServiceStub(channel)
        try:
            answer: admin_service_pb2.CalibrateResponse = stub.Calibrate(_only(start), timeout=_TIMEOUT_S, metadata=access.token.metadata())
        except grpc.RpcError as error:
            raise from_rpc_error(error, address) from None
    return answer.calibration


def _only(start: admin_service_pb2.CalibrateRequest.Start) -> Iterator[admin_service_pb2.CalibrateRequest]:
    yield admin_service_pb2.CalibrateRequest(start=start)
