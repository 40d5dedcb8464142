"""What the client raises.

RouteError            the service said no, or what it said was cut short
└── Unreachable       there was no answer of the service at all
"""

from __future__ import annotations

from collections.abc import Mapping

import grpc

from pointsman.runtime.error_forms import detailed_status, error_info, status_of
from pointsman.v1 import error_pb2

_REQUEST_ID = "request_id"
_CODES = {code.value[0]: code for code in grpc.StatusCode}
# What a gRPC library says on its own behalf and we have a sentence for.
_TOLD = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.UNIMPLEMENTED,
}


class RouteError(Exception):
    """A call that failed.

    `code` is gRPC's, `reason` is for programs (`INVALID_MODEL_STRING`), `message` is for people, `metadata` holds facts to act
    on (`param`, `retry_after_s`, `http_status`, `backend`), `request_id` finds the call in the service's log and is empty
    where the service gave none.
    """

    def __init__(
        self, code: grpc.StatusCode, reason: str, message: str, metadata: Mapping[str, str] | None = None, request_id: str = ""
    ) -> None:
        super().__init__(code, reason, message, metadata, request_id)
        self.code = code
        self.reason = reason
        self.message = message
        self.metadata: Mapping[str, str] = metadata or {}
        self.request_id = request_id

    def __str__(self) -> str:
        return f"{self.message} ({self.reason})"


class Unreachable(RouteError):
    """No service answers at the address, or the connection broke."""


def from_rpc_error(error: grpc.RpcError, address: str) -> RouteError:
    """The failed RPC as the client raises it."""
    if status := detailed_status(error):
        return from_status(status)
    server = f"Pointsman at {address}"
    code = error.code()
    status = status_of(error, server)
    message = status.message if code in _TOLD else f"{server} failed without saying why: {code.name}, {error.details() or 'no details'}"
    kind = Unreachable if code is grpc.StatusCode.UNAVAILABLE else RouteError
    return kind(code, error_info(status).reason if code in _TOLD else code.name, message, dict(error_info(status).metadata))


def from_status(status: error_pb2.Error) -> RouteError:
    """An error that came inside a message, or in a failed RPC's trailing metadata."""
    info = error_info(status)
    metadata = dict(info.metadata)
    code = _CODES.get(status.code, grpc.StatusCode.UNKNOWN)
    return RouteError(code, info.reason or code.name, status.message, metadata, metadata.get(_REQUEST_ID, ""))
