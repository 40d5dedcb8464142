"""Which headers cross the edge."""

from __future__ import annotations

import pytest

from gateway.headers import request_id, sendable, to_backends, to_caller, trace_context, wants_receipt
from pointsman.runtime.decision_headers import routing_from_headers
from pointsman.runtime.errors import InvalidRequest, InvalidRoutingSpec
from pointsman.v1.route_service_pb2 import Header


def test_a_backend_hears_only_what_the_rule_allows() -> None:
    """A header nobody has thought of stays at the edge."""
    headers = [("content-type", "a"), ("x-api-key", "k"), ("host", "h"), ("x-new", "n"), ("traceparent", "t"), ("x-request-id", "i")]
    assert {header.name for header in to_backends(headers)} == {"content-type", "traceparent", "x-request-id"}


def test_a_caller_hears_the_backend_but_no_framing_and_no_forged_decision() -> None:
    """Names come out in lower case."""
    headers = [("Content-Type", "a"), ("Transfer-Encoding", "chunked"), ("X-Pointsman-Tier", "weak"), ("X-RateLimit", "1"), ("Date", "d")]
    assert to_caller(Header(name=name, value=value) for name, value in headers) == [("content-type", "a"), ("x-ratelimit", "1")]


@pytest.mark.parametrize(
    "header", [("a b", "x"), ("x", "a\r\nb: c"), ("x", "日"), ("", "x"), ("content-length", "²"), ("content-length", "-1")]
)
def test_what_http_cant_carry_is_left_out(header: tuple[str, str]) -> None:
    """One such header would break the whole answer."""
    assert sendable([header, ("ok", "é")]) == [("ok", "é")]


def test_the_callers_id_is_kept_where_it_is_one() -> None:
    """Our own name wins over the usual one."""
    assert request_id({"x-request-id": "a.b_c-1"}) == "a.b_c-1"
    assert request_id({"x-request-id": "a", "x-pointsman-request-id": "b"}) == "b"


@pytest.mark.parametrize("said", ["", "a b", "a\n", "é", "x" * 129, "٣"])
def test_any_other_id_is_replaced(said: str) -> None:
    """By 32 hex digits, new each time."""
    made = request_id({"x-request-id": said})
    assert len(made) == 32
    assert made != request_id({"x-request-id": said})


def test_trace_context_that_metadata_cant_carry_is_left_out() -> None:
    """gRPC refuses a call over it."""
    assert trace_context({"traceparent": "00-a", "tracestate": "é"}) == [("traceparent", "00-a")]


@pytest.mark.parametrize(
    ("said", "wanted"), [({}, False), ({"x-pointsman-receipt": "True"}, True), ({"x-pointsman-receipt": "false"}, False)]
)
def test_a_receipt_is_sent_on_request(said: dict[str, str], wanted: bool) -> None:
    """Without the header there is none."""
    assert wants_receipt(said) is wanted


def test_a_wish_for_a_receipt_that_is_neither_is_an_error() -> None:
    """Rather than a guess."""
    with pytest.raises(InvalidRequest, match="true or false"):
        wants_receipt({"x-pointsman-receipt": "1"})


@pytest.mark.parametrize("said", ["0_1", "1e-1_0", "½", "nan", "", "1.5"])
def test_a_share_that_is_no_decimal_number_is_refused(said: str) -> None:
    """What Python alone would read as a number, too."""
    with pytest.raises(InvalidRoutingSpec, match="is a number from 0 to 1"):
        routing_from_headers([("x-pointsman-strong-share", said)])
