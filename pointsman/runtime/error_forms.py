"""Errors as each protocol writes them: google.rpc.Status (as our wire-identical `Error`) and OpenAI's `{"error": …}`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Final, cast

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import DecodeError, Message

from pointsman.runtime import errors
from pointsman.runtime.decision_headers import PREFIX
from pointsman.runtime.errors import DOMAIN, WIRE_FORMS, InternalError, PointsmanError, Unavailable, WireForm, wire_form
from pointsman.v1 import error_pb2

DETAILS_KEY = "grpc-status-details-bin"
_PUSHBACK_KEY: Final = "grpc-retry-pushback-ms"
NO_RETRY: Final = (_PUSHBACK_KEY, "-1")
"""Trailing metadata, gRPC's own word to a channel's retry policy: don't try again."""
PROCESS = "process"
"""ErrorInfo's `scope` of an error that its process would answer anything with just now."""
_TYPE_PREFIX = "type.googleapis.com/google.rpc."
_INTERNAL = wire_form(InternalError())
_BY_REASON: Final[Mapping[str, WireForm]] = {form.reason: form for form in WIRE_FORMS.values()}
_json: Final = json.JSONEncoder(ensure_ascii=False).encode
OpenAiError = tuple[int, bytes, dict[str, str]]
"""HTTP status, body and extra headers."""


def _packed(detail: Message, google_name: str) -> any_pb2.Any:
    # Packed under Google's name, so that any client's rich-error library reads it.
    return any_pb2.Any(type_url=_TYPE_PREFIX + google_name, value=detail.SerializeToString())


def to_status(error: PointsmanError, request_id: str = "") -> error_pb2.Error:
    """The error with its details; its bytes are those of a google.rpc.Status."""
    form = wire_form(error)
    metadata = _metadata(error, form)
    if request_id:
        metadata["request_id"] = request_id
    details = [_packed(error_pb2.ErrorInfo(reason=form.reason, domain=DOMAIN, metadata=metadata), "ErrorInfo")]
    if error.param:
        violation = error_pb2.BadRequest.FieldViolation(field=error.param, description=error.message)
        details.append(_packed(error_pb2.BadRequest(field_violations=[violation]), "BadRequest"))
    return error_pb2.Error(code=form.grpc_code.value[0], message=error.message, details=details)


def _metadata(error: PointsmanError, form: WireForm) -> dict[str, str]:
    """ErrorInfo's, but for the request's id."""
    metadata = {"http_status": str(error.http_status or form.http_status)}
    if error.param:
        metadata["param"] = error.param
    if error.retry_after_s is not None:
        metadata["retry_after_s"] = f"{error.retry_after_s:g}"
    if error.backend:
        metadata["backend"] = error.backend
    if error.by_process:
        metadata["scope"] = PROCESS
    metadata.update(error.decision)
    return metadata


def is_by_process(status: error_pb2.Error) -> bool:
    """Whether it says something of the process that answered, and nothing of the request."""
    return error_info(status).metadata.get("scope") == PROCESS


def error_info(status: error_pb2.Error) -> error_pb2.ErrorInfo:
    """The status's ErrorInfo, or an empty one."""
    for detail in status.details:
        if detail.type_url == _TYPE_PREFIX + "ErrorInfo":
            return error_pb2.ErrorInfo.FromString(detail.value)
    return error_pb2.ErrorInfo()


def pushback(status: error_pb2.Error, left_s: float) -> tuple[tuple[str, str], ...]:
    """Tells the retry policy of a caller's channel when to try again, as trailing metadata; empty where its own backoff will do.

    Not at all, where the wait outlasts the call, which has `left_s`: it would end as DEADLINE_EXCEEDED, and nobody would hear why. Nor
    where a limit doesn't say when: waiting makes no body shorter.
    """
    said = error_info(status).metadata.get("retry_after_s")
    if said is None:
        return (NO_RETRY,) if status.code == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0] else ()
    if float(said) >= left_s:
        return (NO_RETRY,)
    milliseconds = int((Decimal(said) * 1000).to_integral_value(ROUND_CEILING))
    # With 0, which gRFC A6 allows, a call of grpcio (1.85) hangs until its deadline.
    return ((_PUSHBACK_KEY, str(milliseconds)),) if milliseconds else ()


def status_of(error: grpc.RpcError, server: str = "The controller") -> error_pb2.Error:
    """What the server said of a failed RPC, sync or not; where it sent no details (a dead `server`), one of our own making."""
    return detailed_status(error) or to_status(_undetailed(error.code(), error.details() or "", server))


def detailed_status(error: grpc.RpcError) -> error_pb2.Error | None:
    """What the server said of a failed RPC; None where it sent no details."""
    trailing = cast("Iterable[tuple[str, str | bytes]]", error.trailing_metadata() or ())
    for key, value in trailing:
        if key == DETAILS_KEY and isinstance(value, bytes):
            try:
                return error_pb2.Error.FromString(value)
            except DecodeError:
                break
    return None


def _undetailed(code: grpc.StatusCode, text: str, server: str) -> PointsmanError:
    if code is grpc.StatusCode.UNAVAILABLE:
        return Unavailable(f"{server} can't be reached; try again shortly.", retry_after_s=1)
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return errors.DeadlineExceeded("The deadline passed before there was an answer; give the call longer.")
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in text:
        # gRPC's own words, before any of ours could be asked.
        return errors.BodyTooLarge("The message is longer than the server takes (max_body_bytes); send less.")
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        # gRPC's own too: as many calls as there may be.
        full = errors.Overloaded("The service is at its limit; try again shortly.", retry_after_s=1)
        full.by_process = True
        return full
    if code is grpc.StatusCode.CANCELLED:
        return errors.Cancelled("The call was cancelled, by its caller or by a service that stopped.")
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return errors.Unimplemented(text or "The server doesn't know this call; is it of an earlier release?")
    return InternalError()


def openai_error(error: PointsmanError) -> OpenAiError:
    """In OpenAI's shape."""
    form = wire_form(error)
    return _openai_error(form, form.reason, error.message, _metadata(error, form))


def openai_error_of(status: error_pb2.Error, info: error_pb2.ErrorInfo | None = None) -> OpenAiError:
    """The same for a status that came over the wire; `info` is its ErrorInfo, where that has been read already."""
    info = error_info(status) if info is None else info
    form = _BY_REASON.get(info.reason, _INTERNAL)
    return _openai_error(form, info.reason or form.reason, status.message, info.metadata)


def _openai_error(form: WireForm, reason: str, message: str, metadata: Mapping[str, str]) -> OpenAiError:
    told = {"message": message, "type": form.openai_type, "param": metadata.get("param"), "code": reason.lower()}
    http_status = int(metadata.get("http_status", form.http_status))
    decided = {name: value for name, value in metadata.items() if name.startswith(PREFIX)}
    return http_status, _json({"error": told}).encode(), {**decided, **_retry_headers(metadata)}


def _retry_headers(metadata: Mapping[str, str]) -> dict[str, str]:
    after = metadata.get("retry_after_s")
    # Whole seconds, rounded up: the header has no fractions.
    return {"retry-after": str(max(1, -int(-float(after) // 1)))} if after else {}
