"""The services under test, each a real process with its log in a file."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.canary import KEY
from tests.support.product import ROOT


@dataclass(frozen=True)
class Service:
    """A process that serves."""

    process: subprocess.Popen[bytes]
    log: Path

    def logged(self, event: str) -> dict[str, Any]:
        """The line with that event, as soon as it's there. Raises `RuntimeError` where the process ends before."""
        while True:
            for line in self.log.read_text().splitlines():
                if line.startswith("{") and line.endswith("}") and (found := json.loads(line))["event"] == event:
                    return dict(found)
            if self.process.poll() is not None:
                raise RuntimeError(f"it ended:\n{self.log.read_text()}")
            time.sleep(0.02)

    def complaints(self) -> list[str]:
        """Lines of its log that no request may cause: tracebacks and errors."""
        lines = self.log.read_text(errors="replace").splitlines()
        return [line for line in lines if "Traceback" in line or '"level":"error"' in line or not line.startswith("{")]


@dataclass(frozen=True)
class Services:
    """Gateway and controller, before a backend and scorers that answer everything; and one real scorer without Ray."""

    gateway: Service
    controller: Service
    rest: str
    gateway_grpc: str
    controller_grpc: str
    scorer_grpc: str

    def check(self) -> None:
        """Both live, and have nothing to complain of."""
        for service in (self.gateway, self.controller):
            assert service.process.poll() is None
            assert service.complaints()[:3] == []


@contextmanager
def running_services(folder: Path) -> Iterator[Services]:
    """All of them, ready."""
    with ExitStack() as stack:
        others = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.counterparts"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        stack.callback(others.communicate)
        assert others.stdout
        at = json.loads(others.stdout.readline())
        (key := folder / "key").write_text(KEY)
        settings: dict[str, Any] = {
            "log": {"format": "json"},
            "gateway": {"rest_port": 0, "grpc_port": 0, "drain_s": 1},
            "controller": {
                "grpc_port": 0,
                "metrics_port": 0,
                "scorers": at["scorers"],
                "probe_interval_s": 0.1,
                "drain_s": 1,
                "allow_backend_names": True,
                "decision_log": {"path": str(folder / "decisions.jsonl")},
            },
            "strategies": {"mf": {}, "random": {}},
            "backends": {name: {"base_url": at["backend"], "model": f"{name}-model", "key_file": str(key)} for name in ("strong", "weak")},
            "policies": {"cheap": {"strategies": ["mf"], "threshold": 0.9}},
            "records_dir": str(folder / "records"),
        }
        controller = stack.enter_context(_service("controller", folder, settings))
        settings["gateway"]["controllers"] = [controller_grpc := controller.logged("controller ready")["grpc"]]
        gateway = stack.enter_context(_service("gateway", folder, settings))
        serves = gateway.logged("gateway serves")
        while not gateway.logged("readiness")["ready"]:
            time.sleep(0.02)
        yield Services(gateway, controller, serves["rest"].removesuffix("/v1"), serves["grpc"], controller_grpc, at["scorer"])


@contextmanager
def _service(name: str, folder: Path, settings: dict[str, Any]) -> Iterator[Service]:
    file, log = folder / f"{name}.yaml", folder / f"{name}.log"
    file.write_text(json.dumps(settings))
    with log.open("wb") as written:
        process = subprocess.Popen([sys.executable, "-m", name, "--settings", str(file)], cwd=ROOT, stderr=written, stdout=written)
    try:
        yield Service(process, log)
    finally:
        process.terminate()
        process.wait(30)
