"""The scorers' part of the settings: Ray Serve, and the pods that it has in Kubernetes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, StringConstraints

from pointsman.runtime.settings_part import Part, Port

GroupName = Annotated[str, StringConstraints(pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$", max_length=32)]
"""Kubernetes' rule for a part of a pod's name."""


class WorkerGroupSettings(Part):
    """One kind of pod that replicas run in, in Kubernetes."""

    cpus: Annotated[int, Field(ge=1)] = 4
    memory_gib: Annotated[float, Field(gt=0)] = 8
    gpus: Annotated[int, Field(ge=0)] = 0
    min_pods: Annotated[int, Field(ge=0)] | None = None
    """Pods at least; null is so many as the min_replicas of its strategies take."""
    max_pods: Annotated[int, Field(ge=0)] | None = None
    """Pods at most; null is so many as their max_replicas take, and the largest strategy once more, which a redeploy needs."""


class ScorersSettings(Part):
    """Ray Serve, which hosts every strategy."""

    host: str = "127.0.0.1"
    """Where Serve's gRPC and HTTP listen; the stock proxy's gRPC listens on every interface whatever this says."""
    grpc_port: Port = 9000
    http_port: Port = 8000
    """Serve's own HTTP proxy; nothing of ours uses it, but Serve starts it, on a free port where this one is taken."""
    haproxy: bool = True
    """Serve behind HAProxy with its throughput flags; false is the stock Python proxy (4 times slower per call)."""
    num_cpus: Annotated[int, Field(ge=1)] | None = None
    """CPUs that Ray may give to replicas; null is enough for all that are named, whatever the machine has."""
    object_store_bytes: Annotated[int, Field(ge=80 << 20)] = 80 << 20
    worker_groups: Annotated[Mapping[GroupName, WorkerGroupSettings], Field(min_length=1)] = Field(
        default_factory=lambda: {"cpu": WorkerGroupSettings(), "gpu": WorkerGroupSettings(memory_gib=16, gpus=1)}
    )
    """Read by `pointsman settings render` alone."""
    gcs_redis: Annotated[str, StringConstraints(pattern=r"^[^\s/@]+:\d+$")] | None = None
    """host:port of the Redis that keeps Ray's own state in Kubernetes; null: with the head pod every replica is lost. Read by
    `pointsman settings render` alone."""
