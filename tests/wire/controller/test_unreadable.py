"""Bytes that are no message: the caller's mistake, told as one, and no line in the log."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from pointsman.runtime.error_forms import error_info, status_of
from tests.support.controllers import RunningController

_START = b"\x0a\x04\x0a\x02mf"


@pytest.mark.parametrize("wrong", [b"\x00", b"\x12\x02\xff\xfe", b"\x12\x7f", b"\x0b" * 200], ids=["tag", "not UTF-8", "cut", "too deep"])
@pytest.mark.parametrize("method", ["RouteService/Route", "RouteService/Relay", "AdminService/Calibrate", "RouteService/ChatCompletion"])
async def test_bytes_that_are_no_message_are_an_invalid_request(
    controller: RunningController, capsys: pytest.CaptureFixture[str], method: str, wrong: bytes
) -> None:
    """gRPC itself would say UNKNOWN, and log a traceback each time."""
    sent = [_START, wrong] if method.endswith("Calibrate") else [wrong]
    async with grpc.aio.insecure_channel(controller.address) as channel:
        call: Any = channel.stream_stream(f"/pointsman.v1.{method}")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await anext(aiter(call(iter(sent))))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error_info(status_of(caught.value)).reason == "INVALID_REQUEST"
    assert "Traceback" not in "".join(capsys.readouterr())
