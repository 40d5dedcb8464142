"""How the client's channel behaves: what is retried, how a dead connection is noticed, how large a message may be."""

from __future__ import annotations

import json
from typing import Final

DEFAULT_ADDRESS: Final = "127.0.0.1:50051"
DEFAULT_TIMEOUT_S: Final = 600.0

_SERVICE: Final = "pointsman.v1.RouteService"
# Only what costs nothing twice. A chat isn't in here: the controller retries backends itself, within the same deadline, and
# retries of retries multiply the load on a backend that is already failing.
_RETRIED: Final = ("Route", "RouteBatch", "CompareStrategies", "ListStrategies")


def channel_options() -> list[tuple[str, str | int]]:
    """Options of a sync or async channel."""
    return [
        ("grpc.service_config", json.dumps(_service_config())),
        # A server of ours permits a ping every 10 s.
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.max_reconnect_backoff_ms", 5_000),
        # The answer's size is the server's to bound.
        ("grpc.max_receive_message_length", -1),
        ("grpc.max_send_message_length", -1),
    ]


def _service_config() -> dict[str, object]:
    return {
        "loadBalancingConfig": [{"round_robin": {}}],
        "methodConfig": [
            {
                "name": [{"service": _SERVICE, "method": method} for method in _RETRIED],
                "retryPolicy": {
                    "maxAttempts": 3,
                    "initialBackoff": "0.1s",
                    "maxBackoff": "1s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ],
        "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1},
    }
