"""AdminService: Calibrate; Pin and Stats come with later releases, and say so."""

from __future__ import annotations

from collections.abc import AsyncIterator

from controller.calibrating import Calibrator
from controller.calibrations import calibration_of
from controller.rpc import Context, answers_errors
from controller.sampling import Example
from pointsman.runtime.errors import InvalidRequest, Unimplemented
from pointsman.v1 import admin_service_pb2, admin_service_pb2_grpc


class AdminService(admin_service_pb2_grpc.AdminServiceServicer):
    """See protos/pointsman/v1/admin_service.proto."""

    def __init__(self, calibrator: Calibrator) -> None:
        self._calibrator = calibrator

    @answers_errors
    async def Calibrate(  # noqa: N802
        self, request: AsyncIterator[admin_service_pb2.CalibrateRequest], context: Context, request_id: str
    ) -> admin_service_pb2.CalibrateResponse:
        first = await anext(aiter(request), None)
        if first is None or not first.HasField("start"):
            raise InvalidRequest("The first message must be the start.", param="start")
        made = await self._calibrator.calibrate(first.start, _examples(request))
        return admin_service_pb2.CalibrateResponse(
            calibration=calibration_of(made.record) if made.record else None, certificates=map(calibration_of, made.certificates)
        )

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


async def _examples(requests: AsyncIterator[admin_service_pb2.CalibrateRequest]) -> AsyncIterator[Example]:
    async for request in requests:
        if not request.HasField("example"):
            raise InvalidRequest("After the start, every message must be an example.", param="example")
        yield request.example
