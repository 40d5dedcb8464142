"""AdminService: its calls come with later releases, and say so."""

from __future__ import annotations

from typing import Any

from controller.rpc import Context, answers_errors
from pointsman.runtime.errors import Unimplemented
from pointsman.v1 import admin_service_pb2, admin_service_pb2_grpc


class AdminService(admin_service_pb2_grpc.AdminServiceServicer):
    """See protos/pointsman/v1/admin_service.proto."""

    @answers_errors
    async def Calibrate(self, request: Any, context: Context, request_id: str) -> admin_service_pb2.CalibrateResponse:  # noqa: N802
        raise Unimplemented("Calibrate comes with a later release; the command pointsman calibrate makes records.")

    @answers_errors
    async def Pin(  # noqa: N802
        self, request: admin_service_pb2.PinRequest, context: Context, request_id: str
    ) -> admin_service_pb2.PinResponse:
        raise Unimplemented("Pin comes with a later release; until then a routing spec's tier pins one request.")

    @answers_errors
    async def Stats(  # noqa: N802
        self, request: admin_service_pb2.StatsRequest, context: Context, request_id: str
    ) -> admin_service_pb2.StatsResponse:
        raise Unimplemented("Stats comes with a later release; until then the metrics port has the counts.")
