"""The scorers' part of the settings: Ray Serve, and the pods that it has in Kubernetes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from pointsman.runtime.settings_part import Part, Port, only_one

HostPort = Annotated[str, StringConstraints(pattern=r"^[^\s/@]+:\d+$")]

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


class ClusterSettings(Part):
    """Ray on several machines or containers: `python -m scorers` is its head, `python -m scorers.worker` a machine with replicas."""

    head: HostPort
    """host:port by which workers find the head, which listens there, on its own address of that name."""
    token_env: str | None = None
    """The environment variable with the token that all of them know."""
    token_file: Path | None = None
    """The file that holds it, on its first line."""

    @model_validator(mode="after")
    def _a_token(self) -> Self:
        if not self.token_env and not self.token_file:
            raise ValueError("takes token_env or token_file, which all of Ray's machines share")
        return only_one(self, "token_env", "token_file")


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
    """CPUs that Ray may give to replicas, on each machine of a cluster's workers; null is enough for all that are named, whatever the
    machine has."""
    object_store_bytes: Annotated[int, Field(ge=80 << 20)] = 80 << 20
    cluster: ClusterSettings | None = None
    """Null: Ray is this machine's alone."""
    worker_groups: Annotated[Mapping[GroupName, WorkerGroupSettings], Field(min_length=1)] = Field(
        default_factory=lambda: {"cpu": WorkerGroupSettings(), "gpu": WorkerGroupSettings(memory_gib=16, gpus=1)}
    )
    """Read by `pointsman settings render` alone."""
    gcs_redis: HostPort | None = None
    """host:port of the Redis that keeps Ray's own state in Kubernetes; null: with the head pod every replica is lost. Read by
    `pointsman settings render` alone."""
