"""Headers of Relay's callers, which needn't be HTTP's."""

from __future__ import annotations

import pytest

from controller.backend_headers import check_sendable
from pointsman.runtime.errors import InvalidRequest


@pytest.mark.parametrize("header", [("\x1f", "x"), ("a b", "x"), ("", "x"), ("x", "a\r\nb: c"), ("x", "\x00"), ("x", "ü€")])
def test_what_http_cannot_carry_is_refused(header: tuple[str, str]) -> None:
    with pytest.raises(InvalidRequest):
        check_sendable([("fine", "yes"), header])


def test_what_it_can_passes() -> None:
    check_sendable([("x-a_b", "tab\there"), ("accept", ""), ("x", "latin ü")])
