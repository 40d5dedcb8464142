"""The whole product before a backend that costs next to nothing, each service in a process of its own on free ports."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.proxies import arms
from tests.support.product import Product, free_ports, running_product


@dataclass(frozen=True, slots=True)
class Services:
    """`pointsman up` with the strategy random, and the backend."""

    product: Product
    backend: str
    """Its base URL."""

    @property
    def rest(self) -> str:
        """The gateway's, up to /v1."""
        return f"{self.product.rest}/v1"

    def pids(self) -> dict[str, int]:
        """Every process by what it is: gateway, controller, and what Ray Serve consists of."""
        found = {name: self.product.pids("-m", name)[0] for name in ("gateway", "controller", "scorers")}
        for child in self.product.children():
            with contextlib.suppress(psutil.Error):
                name = child.name() if child.name() in ("haproxy", "raylet", "gcs_server") else (child.cmdline() or [""])[0]
                if name.startswith("ray::Serve") or name in ("haproxy", "raylet", "gcs_server", "ray::ProxyActor", "ray::HAProxyManager"):
                    found[name.removeprefix("ray::")] = child.pid
        return found

    def metrics_urls(self) -> dict[str, str]:
        """Of the services that measure their event loops."""
        port = self.product.settings["controller"]["metrics_port"]
        return {"gateway": f"{self.product.rest}/metrics", "controller": f"http://127.0.0.1:{port}/metrics"}


@contextlib.contextmanager
def services(
    *, chunks: int = 32, own: Mapping[str, Mapping[str, Any]] | None = None, backend: Mapping[str, Any] | None = None
) -> Iterator[Services]:
    """Ready ones. `own` are settings of the gateway and the controller beside their defaults, `backend` those of both backends."""
    with tempfile.TemporaryDirectory() as work, arms.backend(free_ports(1)[0], chunks) as answers:
        one = {"base_url": answers.base_url, "model": "bench", **(backend or {})}
        settings: dict[str, Any] = {
            "backends": {"strong": one, "weak": one},
            "strategies": {"random": {}},
            "records_dir": f"{work}/records",
            **(own or {}),
        }
        with running_product(Path(work), **settings) as product:
            arms.wait_for(arms.Arm("pointsman", f"{product.rest}/v1", "router-random-0.5"))
            yield Services(product, answers.base_url)
