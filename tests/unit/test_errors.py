"""The tree of errors and its table."""

from __future__ import annotations

import json

import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from pointsman.runtime import errors
from pointsman.runtime.error_forms import NO_RETRY, error_info, openai_error, openai_error_of, pushback, to_status
from pointsman.runtime.errors import WIRE_FORMS, PointsmanError, wire_form

_CLASSES = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, PointsmanError)]


@pytest.mark.parametrize("error", _CLASSES[1:], ids=lambda error: error.__name__)
def test_every_error_has_a_form_in_both_protocols_and_stands_in_the_tree(error: type[PointsmanError]) -> None:
    """No class falls through to another's form unnoticed, and the module's drawing names it."""
    assert error in WIRE_FORMS
    assert error.__name__ in str(errors.__doc__)
    assert 400 <= WIRE_FORMS[error].http_status < 600


def test_a_status_reads_as_googles_own() -> None:
    """Any client's rich-error library understands the details."""
    status = to_status(errors.InvalidBody("wrong", param="messages[0]"), "id-1")
    google = status_pb2.Status.FromString(status.SerializeToString())
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    unpacked: list[any_pb2.Any] = list(google.details)
    assert unpacked[0].Unpack(info)
    assert unpacked[1].Unpack(bad)
    assert (info.reason, info.domain, info.metadata["request_id"]) == ("INVALID_BODY", "pointsman", "id-1")
    assert bad.field_violations[0].field == "messages[0]"


def test_openais_shape_has_its_four_fields_and_retry_after_in_whole_seconds() -> None:
    """`message`, `type`, `param`, `code`; a fraction of a second rounds up."""
    status, body, headers = openai_error(errors.Overloaded("full", retry_after_s=1.2))
    assert status == 429
    assert json.loads(body) == {"error": {"message": "full", "type": "rate_limit_error", "param": None, "code": "overloaded"}}
    assert headers == {"retry-after": "2"}


@pytest.mark.parametrize("kind", _CLASSES[1:], ids=lambda kind: kind.__name__)
def test_an_error_of_our_own_reads_as_one_that_came_over_the_wire(kind: type[PointsmanError]) -> None:
    """By every field that there is, and without any."""
    error = _made(kind)
    assert openai_error(error) == openai_error_of(to_status(error, "id-1"))
    error.message = 'a "quoted" word, ü, \n and \u2028'
    error.param, error.backend, error.http_status, error.by_process = "messages[0]", "big", 418, True
    error.decision = {"x-pointsman-tier": "strong", "x-pointsman-model": "big-model"}
    for seconds in (None, 0, 0.4, 1, 1.0000004, 59.99995, 1_000_000.5):
        error.retry_after_s = seconds
        assert openai_error(error) == openai_error_of(to_status(error, "id-1"))


def _made(kind: type[PointsmanError]) -> PointsmanError:
    return errors.InternalError() if kind is errors.InternalError else kind("wrong")


def test_a_status_of_nobody_we_know_is_an_internal_error_in_its_own_words() -> None:
    """As from a controller of a later release, and from a proxy between."""
    unknown = to_status(errors.NotFound("gone"))
    unknown.details[0].value = unknown.details[0].value.replace(b"NOT_FOUND", b"NOT_SOUND")
    status, body, _ = openai_error_of(unknown)
    assert (status, json.loads(body)["error"]) == (404, {"message": "gone", "type": "server_error", "param": None, "code": "not_sound"})
    del unknown.details[:]
    status, body, _ = openai_error_of(unknown)
    assert (status, json.loads(body)["error"]["code"]) == (500, "internal")


@pytest.mark.parametrize(("seconds", "milliseconds"), [(1, "1000"), (1.1, "1100"), (0.0001, "1"), (59.9999, "60000")])
def test_a_channel_is_told_when_to_come_back_in_milliseconds(seconds: float, milliseconds: str) -> None:
    """Rounded up, as the number is written; and never, where its call doesn't last so long."""
    status = to_status(errors.Overloaded("full", retry_after_s=seconds))
    assert pushback(status, left_s=60) == (("grpc-retry-pushback-ms", milliseconds),)
    assert pushback(status, left_s=seconds) == (NO_RETRY,)


def test_an_undeclared_error_is_one_fixed_sentence() -> None:
    """Nothing of what it said reaches the caller."""
    error = errors.declared(ValueError("secret prompt"))
    assert "secret" not in to_status(error).message
    assert wire_form(error).reason == "INTERNAL"
    assert error_info(to_status(error)).metadata["http_status"] == "500"
