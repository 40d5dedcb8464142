"""Whatever a header says is either refused in a declared way, or is what HTTP and gRPC can carry."""

from __future__ import annotations

import re

from hypothesis import strategies as st

from gateway.deadline import LONGEST_S, asked_timeout
from gateway.headers import request_id, sendable, trace_context, wants_receipt
from pointsman.runtime.decision_headers import PREFIX, routing_from_headers
from pointsman.runtime.errors import InvalidRequest, InvalidRoutingSpec
from tests.fuzz.campaign import Campaign

_LATIN = st.text(st.characters(max_codepoint=255))
"""What a header's value may be once HTTP has let it through, and more."""


def test_any_timeout_header_is_seconds_or_is_refused(campaign: Campaign) -> None:
    """Above 0, at most a day."""

    def check(said: str) -> None:
        try:
            seconds = asked_timeout(said, 30.0)
        except InvalidRequest as error:
            assert len(error.message) < 300
            return
        assert 0 < seconds <= LONGEST_S
        assert seconds == float(said)

    campaign.run("x-request-timeout", st.one_of(_LATIN, st.floats().map(str), st.text("0159.e-_ +", max_size=9)), check, long=10_000)


def test_any_pointsman_headers_are_a_spec_or_are_refused(campaign: Campaign) -> None:
    """With the header at fault by name."""

    def check(said: dict[str, str]) -> None:
        try:
            spec = routing_from_headers(said.items())
        except InvalidRoutingSpec as error:
            assert error.param in said
            return
        assert spec.pair == said.get(f"{PREFIX}pair", "")
        if target := spec.WhichOneof("target"):
            value = said[PREFIX + target.replace("_", "-")]
            assert 0 <= getattr(spec, target) <= 1
            assert re.fullmatch(r"[0-9.eE+-]+", value.strip(), re.ASCII), value

    values = st.one_of(_LATIN, st.floats(0, 1).map(str), st.sampled_from(["strong", "weak", "0.5", "1_0", "nan", "1e-1_0"]))
    names = st.sampled_from(["pair", "tier", "strong-share", "max-quality-loss", "session", "other"]).map(lambda name: PREFIX + name)
    campaign.run("x-pointsman-* headers", st.dictionaries(names, values, max_size=5), check, long=10_000)


def test_any_headers_cross_the_edge_or_stay(campaign: Campaign) -> None:
    """What goes out is what HTTP and gRPC can carry."""

    def check(said: dict[str, str]) -> None:
        assert re.fullmatch(r"[A-Za-z0-9._-]{1,128}", request_id(said))
        for _, value in trace_context(said):
            assert value.isascii()
            assert value.isprintable()
        for name, value in sendable(list(said.items())):
            assert not set(name + value) & set("\r\n\0")
        try:
            assert wants_receipt(said) in (True, False)
        except InvalidRequest as error:
            assert error.param == "x-pointsman-receipt"

    known = st.sampled_from(
        ["x-request-id", "x-pointsman-request-id", "traceparent", "tracestate", "x-pointsman-receipt", "content-length"]
    )
    campaign.run("headers at the edge", st.dictionaries(st.one_of(known, _LATIN), _LATIN, max_size=5), check, long=10_000)
