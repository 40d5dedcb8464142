"""What the client raises.

RouteError            the service said no
├── Unreachable       there was no answer of the service at all
└── AnswerCut         a streamed answer had begun, and broke off
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Self, cast

import grpc

from pointsman.runtime.decision_headers import REQUEST_ID
from pointsman.runtime.error_forms import detailed_status, error_info, status_of
from pointsman.v1 import error_pb2

_REQUEST_ID = "request_id"
_LONGEST_DETAILS = 300
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

    `code` is gRPC's, `reason` is for programs (`INVALID_MODEL_STRING`: docs/errors.md has all), `message` is for people,
    `metadata` holds the facts as they came, of which those to act on are attributes too. `request_id` finds the call in the
    service's log and is empty where the service gave none.
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

    @staticmethod
    def from_status(status: error_pb2.Error) -> RouteError:
        """An error that came inside an answer: of one prompt of a batch, or of a stream's event."""
        return from_status(status)

    @property
    def retry_after_s(self) -> float | None:
        """Seconds after which the same call may succeed; None where waiting alone doesn't help."""
        said = self.metadata.get("retry_after_s")
        return float(said) if said else None

    @property
    def param(self) -> str | None:
        """The path of the request's field at fault."""
        return self.metadata.get("param")

    @property
    def backend(self) -> str | None:
        """The settings' name of the backend that failed."""
        return self.metadata.get("backend")

    @property
    def http_status(self) -> int | None:
        """What REST would have answered."""
        said = self.metadata.get("http_status")
        return int(said) if said else None


class Unreachable(RouteError):
    """No service answers at the address, or the connection broke."""


class AnswerCut(RouteError):
    """A streamed answer broke off; `text` is what came of the first answer before, and `reason` says why no more did."""

    def __init__(
        self,
        code: grpc.StatusCode,
        reason: str,
        message: str,
        metadata: Mapping[str, str] | None = None,
        request_id: str = "",
        text: str = "",
    ) -> None:
        super().__init__(code, reason, message, metadata, request_id)
        self.args = (*self.args, text)
        self.text = text

    @classmethod
    def of(cls, error: RouteError, text: str, address: str) -> Self:
        """The same failure, of an answer that had begun."""
        broke = isinstance(error, Unreachable)
        message = f"The connection to Pointsman at {address} broke before the answer's end; ask again." if broke else error.message
        return cls(error.code, error.reason, message, error.metadata, error.request_id, text)


def from_rpc_error(error: grpc.RpcError, address: str) -> RouteError:
    """The failed RPC as the client raises it."""
    if status := detailed_status(error):
        return from_status(status, _request_id(error))
    server = f"Pointsman at {address}"
    code = error.code()
    status = status_of(error, server)
    message = status.message if code in _TOLD else f"{server} failed without saying why: {code.name}, {error.details() or 'no details'}"
    kind = Unreachable if code is grpc.StatusCode.UNAVAILABLE else RouteError
    if kind is Unreachable:
        why = " ".join((error.details() or "nothing").rpartition("last error: ")[2][:_LONGEST_DETAILS].split())
        message = f"{server} can't be reached; is it running there, and does it speak TLS as this client does? gRPC says: {why}"
    return kind(code, error_info(status).reason if code in _TOLD else code.name, message, dict(error_info(status).metadata))


def from_status(status: error_pb2.Error, request_id: str = "") -> RouteError:
    """An error that came inside a message, or in a failed RPC's trailing metadata; `request_id` is what else told it."""
    info = error_info(status)
    metadata = dict(info.metadata)
    code = _CODES.get(status.code, grpc.StatusCode.UNKNOWN)
    return RouteError(code, info.reason or code.name, status.message, metadata, metadata.get(_REQUEST_ID, request_id))


def _request_id(error: grpc.RpcError) -> str:
    """By the trailing metadata: a gateway that no controller has told anything says it there alone."""
    trailing = cast("Iterable[tuple[str, str | bytes]]", error.trailing_metadata() or ())
    return next((str(value) for key, value in trailing if key == REQUEST_ID), "")
