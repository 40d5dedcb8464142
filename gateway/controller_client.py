"""Calls to the controllers: the only module of the gateway that makes gRPC calls and reads their errors."""

from __future__ import annotations

import asyncio
import ipaddress
import json
from collections.abc import Sequence
from typing import Any, Final, Generic, TypeVar, cast

import grpc

from gateway.headers import Headers
from pointsman.runtime.decision_headers import PREFIX, REQUEST_ID
from pointsman.runtime.error_forms import detailed_status, status_of, to_status
from pointsman.runtime.errors import Unavailable
from pointsman.runtime.grpc_server import ROUTE_SERVICE
from pointsman.runtime.settings_file import SettingsError
from pointsman.v1 import error_pb2, route_service_pb2, route_service_pb2_grpc

Message = TypeVar("Message")

_SERVICE_CONFIG: Final = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [
        # UNAVAILABLE is a controller that isn't there; a call is tried again only while it has sent nothing. A controller that
        # is there and says UNAVAILABLE of a backend has tried enough: it forbids it with `grpc-retry-pushback-ms: -1`.
        {
            "name": [{"service": ROUTE_SERVICE}],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.1s",
                "maxBackoff": "1s",
                "backoffMultiplier": 3,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        },
        # The readiness probe asks every second by itself.
        {"name": [{"service": ROUTE_SERVICE, "method": "ListStrategies"}]},
    ],
    # After some 50 failures in a row calls aren't tried again until others succeed.
    "retryThrottling": {"maxTokens": 100, "tokenRatio": 0.5},
}


class ControllerFailed(Exception):
    """A call to the controller ended in an error: its gRPC code and its status, in the controller's words where it spoke.

    `lost`: it didn't speak, so the connection or the controller itself is gone.
    """

    def __init__(self, code: grpc.StatusCode, status: error_pb2.Error, *, lost: bool = False) -> None:
        super().__init__(f"{code.name}: {status.message}")
        self.code = code
        self.status = status
        self.lost = lost


class CallCancelled(Exception):
    """Somebody else called `cancel()` on the call that is being read."""


class ControllerCall(Generic[Message]):
    """One call in progress, its answers read one by one. It ends by reading to the end or by `cancel()`."""

    def __init__(self, call: grpc.aio.UnaryStreamCall[Any, Message]) -> None:
        self._call = call

    async def decision(self) -> Headers:
        """The `x-pointsman-*` initial metadata, once the controller has sent it; empty for a call that failed."""
        try:
            metadata = await self._call.initial_metadata()
        except (grpc.aio.AioRpcError, asyncio.CancelledError) as error:
            raise _translated(error, self._call) from None
        return [(key, value) for key, value in metadata if key.startswith(PREFIX) and isinstance(value, str)]

    async def read(self) -> Message | None:
        """The next message, None at the end. Raises `ControllerFailed` and `CallCancelled`."""
        try:
            message = await self._call.read()
        except (grpc.aio.AioRpcError, asyncio.CancelledError) as error:
            raise _translated(error, self._call) from None
        return None if message is grpc.aio.EOF else cast(Message, message)

    def cancel(self) -> None:
        """Ends the call; nothing happens to one that has ended."""
        self._call.cancel()


def _translated(error: grpc.aio.AioRpcError | asyncio.CancelledError, call: grpc.aio.UnaryStreamCall[Any, Any]) -> BaseException:
    """What to raise: grpc.aio raises either of the two both for a cancelled task and for a cancelled call."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        return asyncio.CancelledError()
    if isinstance(error, grpc.aio.AioRpcError):
        return _failed(error)
    return CallCancelled() if call.cancelled() else error


def _failed(error: grpc.aio.AioRpcError) -> ControllerFailed:
    if error.code() is grpc.StatusCode.CANCELLED:
        # Nobody here cancelled: it is how a controller that stops ends what outlasts its drain.
        stopped = Unavailable("The controller stopped during the call; try again shortly.", retry_after_s=1)
        return ControllerFailed(grpc.StatusCode.UNAVAILABLE, to_status(stopped), lost=True)
    lost = error.code() is grpc.StatusCode.UNAVAILABLE and detailed_status(error) is None
    return ControllerFailed(error.code(), status_of(error), lost=lost)


class ControllerClient:
    """A channel to the controllers, which take turns. Lives as long as the process."""

    def __init__(self, controllers: Sequence[str]) -> None:
        self._channel = grpc.aio.insecure_channel(target_of(controllers), options=_channel_options())
        self._stub = route_service_pb2_grpc.RouteServiceStub(self._channel)

    async def close(self) -> None:
        """Ends the calls that still run."""
        await self._channel.close()

    def relay(
        self, request: route_service_pb2.RelayRequest, *, request_id: str, timeout_s: float, trace: Headers
    ) -> ControllerCall[route_service_pb2.RelayResponse]:
        """Starts a relay: started, bytes …, error where it was cut, finished."""
        call = self._stub.Relay(request, timeout=timeout_s, metadata=((REQUEST_ID, request_id), *trace))
        return ControllerCall(call)

    def forward(self, method: str, request: bytes, *, request_id: str, timeout_s: float, trace: Headers) -> ControllerCall[bytes]:
        """Starts any call of RouteService with the message as it came: on the wire a unary call is a stream of one message."""
        start: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = self._channel.unary_stream(f"/{ROUTE_SERVICE}/{method}")
        return ControllerCall(start(request, timeout=timeout_s, metadata=((REQUEST_ID, request_id), *trace)))

    async def list_strategies(self, timeout_s: float) -> route_service_pb2.ListStrategiesResponse:
        """What is there. Raises `ControllerFailed`."""
        try:
            return await self._stub.ListStrategies(route_service_pb2.ListStrategiesRequest(), timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise asyncio.CancelledError from None
            raise _failed(error) from None


def target_of(controllers: Sequence[str]) -> str:
    """The gRPC target of `host:port` addresses: one name for DNS, or one or several IP addresses. Raises `SettingsError`."""
    versions = [_ip_version(address) for address in controllers]
    if len(controllers) == 1 and versions[0] is None:
        return f"dns:///{controllers[0]}"
    if len(set(versions)) > 1 or versions[0] is None:
        raise SettingsError("gateway.controllers: several controllers are IP addresses of one version, or one DNS name for all of them")
    return f"ipv{versions[0]}:{','.join(controllers)}"


def _ip_version(address: str) -> int | None:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise SettingsError(f"gateway.controllers: an address reads host:port, not {address!r}")
    try:
        return ipaddress.ip_address(host.strip("[]")).version
    except ValueError:
        return None


def _channel_options() -> list[tuple[str, str | int]]:
    return [
        ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
        ("grpc.enable_http_proxy", 0),
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        # A controller that comes back is found within about a second.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 1_000),
        # What a stream holds of answers that its caller doesn't read: by gRPC's own estimate it would be 4 MB and more each.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", 256 << 10),
        # Requests are bounded at the edge and answers by the controller.
        ("grpc.max_send_message_length", -1),
        ("grpc.max_receive_message_length", -1),
    ]
