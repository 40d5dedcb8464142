"""Ray on several machines: how they find and know one another. Each has a machine or container, and so Ray's own ports, to itself."""

from __future__ import annotations

import math
import os
import socket
from collections.abc import Mapping
from typing import Final

from pointsman.runtime.errors import Unavailable
from pointsman.runtime.scorers_settings import ClusterSettings
from pointsman.runtime.settings import Settings
from pointsman.runtime.tokens import Tokens

LOOPBACK: Final = "127.0.0.1"
_CPUS_PER_NEEDED: Final = 4


def cluster_environment(cluster: ClusterSettings) -> Mapping[str, str]:
    """What the head and every worker have in common. Raises `SettingsError` for a token that can't be had."""
    (token, *_) = Tokens("scorers.cluster.token", cluster.token_env, cluster.token_file).now()
    return {"RAY_AUTH_TOKEN": token, "RAY_GCS_SERVER_PORT": str(_port(cluster))}


def node_address(cluster: ClusterSettings | None) -> str:
    """This machine's address among Ray's: the one by which it reaches the head. Raises `Unavailable` where the head has none."""
    if cluster is None:
        return LOOPBACK
    host, _, port = cluster.head.rpartition(":")
    try:
        with socket.socket(type=socket.SOCK_DGRAM) as nothing_is_sent:
            nothing_is_sent.connect((host, int(port)))
            return str(nothing_is_sent.getsockname()[0])
    except OSError as error:
        raise Unavailable(f"scorers.cluster.head: {host} can't be looked up: {error.strerror or error}") from None


def cpus(settings: Settings) -> int:
    """Of a machine with replicas. Ray's CPUs are bookkeeping: enough that no replica waits for one, nor its successor, nor what a reload
    adds."""
    needs = [s.max_replicas * s.num_cpus for s in settings.strategies.values()]
    return settings.scorers.num_cpus or max(os.cpu_count() or 1, math.ceil(_CPUS_PER_NEEDED * sum(needs)))


def _port(cluster: ClusterSettings) -> int:
    return int(cluster.head.rpartition(":")[2])
