"""The tree of errors, and the one table that turns them into both protocols' forms.

    PointsmanError
    ├── InvalidRequest
    │   ├── InvalidBody              not JSON, not UTF-8, a field of the wrong type
    │   │   └── BodyTooLarge
    │   ├── InvalidModelString
    │   ├── InvalidRoutingSpec       fields that exclude one another, a number out of range
    │   ├── UnknownStrategy
    │   ├── UnknownPair
    │   ├── UnknownPolicy
    │   ├── NotCalibrated            a strong share, and nobody has made a record for this checkpoint
    │   ├── NotCertified             a quality loss that no valid certificate bounds
    │   └── MissingCapability        no backend that may answer has what the request needs
    ├── Unauthenticated              a token is missing or wrong
    ├── PermissionDenied             who asks may not do this, or nobody may
    ├── NotFound                     no such endpoint
    ├── Overloaded                   a queue is full
    ├── RateLimited                  a key's own limit is reached
    ├── Unimplemented                a release to come
    ├── Unavailable                  a service of ours isn't there
    │   └── ScoringFailed            and the strategy's `on_failure` is `error`
    │       └── ScoringCapped        or it is `strong`, and enough requests have gone to strong unscored
    ├── DeadlineExceeded
    ├── Cancelled
    ├── InternalError                anything undeclared, as one fixed sentence
    └── BackendError
        ├── BackendRejected          the backend found fault with the request: 400, 404, 413, 422 pass through unchanged
        ├── BackendAuth              the backend refused our key
        ├── BackendRateLimited
        ├── BackendUnreachable       before its first byte
        ├── BackendFailed            5xx, or an answer that isn't one
        ├── BackendCut               after its first byte
        ├── BackendTimeout
        └── FallbackCapped           the weak backend failed, and enough requests have fallen back to strong

Foreign exceptions (`grpc.aio.AioRpcError`, `httpx.*`) are translated in the module that talks to them and never leave it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import grpc

DOMAIN: Final = "pointsman"


class PointsmanError(Exception):
    """An error that reaches the caller in its own words; they hold no prompt and no key.

    `param` is the path of the request's field at fault, `retry_after_s` says when to come back, in seconds, `http_status`
    replaces the class's own, `decision` holds what had been decided before it failed, by the names of its headers.
    """

    decision: Mapping[str, str] = MappingProxyType({})
    by_process: bool = False
    """Whether it says something of the process that raised it, and nothing of the request."""

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        retry_after_s: float | None = None,
        backend: str | None = None,
        http_status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after_s = retry_after_s
        self.backend = backend
        self.http_status = http_status


class InvalidRequest(PointsmanError): ...


class InvalidBody(InvalidRequest): ...


class BodyTooLarge(InvalidBody): ...


class InvalidModelString(InvalidRequest): ...


class InvalidRoutingSpec(InvalidRequest): ...


class UnknownStrategy(InvalidRequest): ...


class UnknownPair(InvalidRequest): ...


class UnknownPolicy(InvalidRequest): ...


class NotCalibrated(InvalidRequest): ...


class NotCertified(InvalidRequest): ...


class MissingCapability(InvalidRequest): ...


class Unauthenticated(PointsmanError): ...


class PermissionDenied(PointsmanError): ...


class NotFound(PointsmanError): ...


class Overloaded(PointsmanError): ...


class RateLimited(PointsmanError): ...


class Unimplemented(PointsmanError): ...


class Unavailable(PointsmanError): ...


class ScoringFailed(Unavailable): ...


class ScoringCapped(ScoringFailed): ...


class DeadlineExceeded(PointsmanError): ...


class Cancelled(PointsmanError): ...


class InternalError(PointsmanError):
    """Anything that wasn't declared: what happened is in the log, under the request id."""

    def __init__(self) -> None:
        super().__init__("Something went wrong inside Pointsman; the log has it under this request id.")


class BackendError(PointsmanError):
    """`answered` is the backend's own HTTP status, 0 where it sent none; `wait_s` is what its Retry-After asked for, in seconds."""

    answered: int = 0
    wait_s: float | None = None


class BackendRejected(BackendError): ...


class BackendAuth(BackendError): ...


class BackendRateLimited(BackendError): ...


class BackendUnreachable(BackendError): ...


class BackendFailed(BackendError): ...


class BackendCut(BackendError): ...


class BackendTimeout(BackendError): ...


class FallbackCapped(BackendError): ...


@dataclass(frozen=True, slots=True)
class WireForm:
    """How one class of error looks on the wire."""

    reason: str  # ErrorInfo.reason; lower case it is OpenAI's `code`
    grpc_code: grpc.StatusCode
    http_status: int
    openai_type: str  # OpenAI's `type`


_C = grpc.StatusCode
_BAD, _SERVER = "invalid_request_error", "server_error"
WIRE_FORMS: Final[Mapping[type[PointsmanError], WireForm]] = {
    InvalidRequest: WireForm("INVALID_REQUEST", _C.INVALID_ARGUMENT, 400, _BAD),
    InvalidBody: WireForm("INVALID_BODY", _C.INVALID_ARGUMENT, 400, _BAD),
    BodyTooLarge: WireForm("BODY_TOO_LARGE", _C.RESOURCE_EXHAUSTED, 413, _BAD),
    InvalidModelString: WireForm("INVALID_MODEL_STRING", _C.INVALID_ARGUMENT, 400, _BAD),
    InvalidRoutingSpec: WireForm("INVALID_ROUTING_SPEC", _C.INVALID_ARGUMENT, 400, _BAD),
    UnknownStrategy: WireForm("UNKNOWN_STRATEGY", _C.INVALID_ARGUMENT, 400, _BAD),
    UnknownPair: WireForm("UNKNOWN_PAIR", _C.INVALID_ARGUMENT, 400, _BAD),
    UnknownPolicy: WireForm("UNKNOWN_POLICY", _C.INVALID_ARGUMENT, 400, _BAD),
    NotCalibrated: WireForm("NOT_CALIBRATED", _C.FAILED_PRECONDITION, 400, _BAD),
    NotCertified: WireForm("NOT_CERTIFIED", _C.FAILED_PRECONDITION, 400, _BAD),
    MissingCapability: WireForm("MISSING_CAPABILITY", _C.INVALID_ARGUMENT, 400, _BAD),
    Unauthenticated: WireForm("UNAUTHENTICATED", _C.UNAUTHENTICATED, 401, "authentication_error"),
    PermissionDenied: WireForm("PERMISSION_DENIED", _C.PERMISSION_DENIED, 403, "permission_error"),
    NotFound: WireForm("NOT_FOUND", _C.NOT_FOUND, 404, _BAD),
    Overloaded: WireForm("OVERLOADED", _C.RESOURCE_EXHAUSTED, 429, "rate_limit_error"),
    RateLimited: WireForm("RATE_LIMITED", _C.RESOURCE_EXHAUSTED, 429, "rate_limit_error"),
    Unimplemented: WireForm("UNIMPLEMENTED", _C.UNIMPLEMENTED, 501, _SERVER),
    Unavailable: WireForm("UNAVAILABLE", _C.UNAVAILABLE, 503, _SERVER),
    ScoringFailed: WireForm("SCORING_FAILED", _C.UNAVAILABLE, 503, _SERVER),
    ScoringCapped: WireForm("SCORING_CAPPED", _C.UNAVAILABLE, 503, _SERVER),
    DeadlineExceeded: WireForm("DEADLINE_EXCEEDED", _C.DEADLINE_EXCEEDED, 504, "timeout_error"),
    Cancelled: WireForm("CANCELLED", _C.CANCELLED, 499, _BAD),
    InternalError: WireForm("INTERNAL", _C.INTERNAL, 500, _SERVER),
    BackendError: WireForm("BACKEND_FAILED", _C.UNAVAILABLE, 502, _SERVER),
    BackendRejected: WireForm("BACKEND_REJECTED", _C.INVALID_ARGUMENT, 400, _BAD),
    # INTERNAL, not UNAVAILABLE: trying again doesn't mend a key.
    BackendAuth: WireForm("BACKEND_AUTH", _C.INTERNAL, 502, _SERVER),
    BackendRateLimited: WireForm("BACKEND_RATE_LIMITED", _C.RESOURCE_EXHAUSTED, 429, "rate_limit_error"),
    BackendUnreachable: WireForm("BACKEND_UNREACHABLE", _C.UNAVAILABLE, 502, _SERVER),
    BackendFailed: WireForm("BACKEND_FAILED", _C.UNAVAILABLE, 502, _SERVER),
    BackendCut: WireForm("BACKEND_CUT", _C.UNAVAILABLE, 502, _SERVER),
    BackendTimeout: WireForm("BACKEND_TIMEOUT", _C.DEADLINE_EXCEEDED, 504, "timeout_error"),
    FallbackCapped: WireForm("FALLBACK_CAPPED", _C.UNAVAILABLE, 503, _SERVER),
}


def wire_form(error: PointsmanError) -> WireForm:
    """The form of the nearest class in the error's own line of ancestors."""
    return next(WIRE_FORMS[c] for c in type(error).__mro__ if c in WIRE_FORMS)


def declared(error: BaseException) -> PointsmanError:
    """The error itself where it was declared, else the one fixed sentence."""
    return error if isinstance(error, PointsmanError) else InternalError()


def error_name(error: BaseException) -> str:
    """The reason by which a receipt and the metrics name it; whoever goes away cancels."""
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        return WIRE_FORMS[Cancelled].reason
    return wire_form(declared(error)).reason
