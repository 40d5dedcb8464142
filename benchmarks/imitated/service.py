"""Scorers with imitated models and a controller, each a process of its own."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.processes import service
from tests.support.product import free_ports


@dataclass(frozen=True, slots=True)
class Imitated:
    """What runs: the controller's address, and the port of its metrics."""

    address: str
    metrics_port: int


@contextlib.asynccontextmanager
async def imitated_service(folder: Path, strategies: Mapping[str, Any], **controller: Any) -> AsyncIterator[Imitated]:
    """A controller with these settings before the strategies; it may take a while until their replicas are there."""
    serve, http, grpc, metrics = free_ports(4)
    backend = {"base_url": "http://127.0.0.1:9/v1", "model": "none"}
    ports = {"grpc_port": grpc, "metrics_port": metrics, "scorers": f"127.0.0.1:{serve}"}
    settings: dict[str, Any] = {
        "scorers": {"grpc_port": serve, "http_port": http},
        "strategies": strategies,
        "controller": {**ports, **controller},
        "backends": {"strong": backend, "weak": backend},
        "records_dir": str(folder / "records"),
    }
    async with service("benchmarks.imitated", folder, settings) as scorers, service("controller", folder, settings) as running:
        try:
            yield Imitated(f"127.0.0.1:{grpc}", metrics)
        finally:
            await running.stop()
            await scorers.stop()
