"""The channel to the controllers: whom it calls in turn, what it tries again, and how it changes its certificate."""

from __future__ import annotations

import asyncio
import ipaddress
import json
from collections.abc import Sequence
from typing import Final

import grpc

from gateway.deadline import LONGEST_S
from pointsman.runtime.client_tls import ClientTls
from pointsman.runtime.grpc_server import ROUTE_SERVICE
from pointsman.runtime.settings_file import SettingsError

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


class ControllerChannel:
    """Lives as long as the process. Where certificate files have changed, the next call opens a new channel, and the old one stays
    for as long as calls run on it."""

    def __init__(self, controllers: Sequence[str], tls: ClientTls | None = None, server_name: str | None = None) -> None:
        """`server_name` is what certificates say, unless `tls` knows better.

        Raises `SettingsError` for addresses that don't go together.
        """
        self._target = target_of(controllers)
        if tls and len(controllers) > 1 and not tls.options(server_name):
            # gRPC would look for one and the same name in all their certificates, and it isn't an address of theirs.
            raise SettingsError("gateway.controller_tls.server_name: several controllers need the one name that their certificates have")
        self._tls = tls
        self._server_name = server_name
        self._pem = tls.now() if tls else None
        self._channel = self._open()
        self._replaced: dict[asyncio.Task[None], grpc.aio.Channel] = {}

    def now(self) -> grpc.aio.Channel:
        """The channel for a new call."""
        if self._tls and (pem := self._tls.now()) is not self._pem:
            self._pem = pem
            replaced, self._channel = self._channel, self._open()
            task = asyncio.get_running_loop().create_task(replaced.close(LONGEST_S))
            self._replaced[task] = replaced
            task.add_done_callback(lambda done: self._replaced.pop(done, None))
        return self._channel

    async def close(self) -> None:
        """Ends the calls that still run."""
        tasks, channels = list(self._replaced), [*self._replaced.values(), self._channel]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for channel in channels:
            await channel.close()

    def _open(self) -> grpc.aio.Channel:
        if self._tls is None or self._pem is None:
            return grpc.aio.insecure_channel(self._target, options=_channel_options())
        options = [*_channel_options(), *self._tls.options(self._server_name)]
        return grpc.aio.secure_channel(self._target, self._tls.credentials(self._pem), options=options)


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
