"""The processes of a stack, and their settings."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.faults.scorers import STRATEGIES
from tests.support.unrefused import UNREFUSED

HOSTNAME = "weak.backend.test"
"""The weak backend's name in the controllers' own hosts file."""


@dataclass(frozen=True)
class Ports:
    """Of everything."""

    rest: int
    grpc: int
    controllers: tuple[int, int]
    metrics: tuple[int, int]
    scorers: int
    strong: int
    weak: int
    tell_strong: int
    tell_weak: int


def specs(folder: Path, ports: Ports, prefix: Sequence[str], controllers_prefix: Sequence[str], open_s: float) -> list[dict[str, Any]]:
    """What the supervisor starts, with the services' settings files written; the prefixes are commands before their own."""
    python = [sys.executable, "-u", "-m"]

    def service(name: str, module: str, settings: Mapping[str, Any], probe: list[Any], before: Sequence[str]) -> dict[str, Any]:
        file = folder / f"{name}.json"
        file.write_text(json.dumps({"log": {"format": "json"}, **settings}))
        return {"name": name, "argv": [*before, *python, module, "--settings", str(file)], "probe": probe}

    backends = [
        {"name": name, "argv": [*python, "tests.support.faults.backend", str(port), str(tell)], "probe": ["http", tell, "/"]}
        for name, port, tell in (("strong", ports.strong, ports.tell_strong), ("weak", ports.weak, ports.tell_weak))
    ]
    scorers = [*python, "tests.support.faults.scorers", str(ports.scorers)]
    controllers = [
        service(
            f"controller-{number + 1}",
            "controller",
            _controller(folder, ports, number, open_s),
            ["grpc", ports.controllers[number], ""],
            [*controllers_prefix, *prefix],
        )
        for number in range(2)
    ]
    addresses = [f"127.0.0.1:{port}" for port in ports.controllers]
    own = {"rest_port": ports.rest, "grpc_port": ports.grpc, "controllers": addresses, "drain_s": 1, **UNREFUSED}
    gateway = service("gateway", "gateway", {"gateway": own}, ["http", ports.rest, "/readyz"], prefix)
    return [*backends, {"name": "scorers", "argv": scorers, "probe": ["strategies", ports.scorers, STRATEGIES]}, *controllers, gateway]


def backend_settings(strong: int, weak: int, open_s: float = 10) -> dict[str, Any]:
    """The settings' `backends` and `pairs`: `patient` waits for weak longer than callers do, `named` knows it by a host name."""
    times = {"first_byte_timeout_s": 2.5, "idle_timeout_s": 2.5, "connect_timeout_s": 1}

    def backend(host: str, port: int, slow_s: float = 30, **own: Any) -> dict[str, Any]:
        return {"base_url": f"http://{host}:{port}/v1", "model": "any", **times, "breaker": {"open_s": open_s, "slow_s": slow_s}, **own}

    return {
        "backends": {
            "strong": backend("127.0.0.1", strong),
            "weak": backend("127.0.0.1", weak),
            "weak_patient": backend("127.0.0.1", weak, first_byte_timeout_s=60, slow_s=1),
            "weak_named": backend(HOSTNAME, weak),
        },
        "pairs": {
            "default": {"strong": "strong", "weak": "weak"},
            "patient": {"strong": "strong", "weak": "weak_patient"},
            "named": {"strong": "strong", "weak": "weak_named"},
        },
    }


def _controller(folder: Path, ports: Ports, number: int, open_s: float) -> dict[str, Any]:
    own = {
        "grpc_port": ports.controllers[number],
        "metrics_port": ports.metrics[number],
        "scorers": f"127.0.0.1:{ports.scorers}",
        "drain_s": 1,
        **UNREFUSED,
        "decision_log": {"path": str(folder / f"decisions-{number + 1}.jsonl")},
    }
    strategies: dict[str, Any] = {name: {} for name in STRATEGIES}
    return {
        "controller": own,
        "strategies": strategies,
        "records_dir": str(folder / "records"),
        **backend_settings(ports.strong, ports.weak, open_s),
    }
