"""One real cluster for all tests here: `python -m scorers`, as the supervisor starts it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import grpc
import psutil
import pytest
import yaml

from pointsman.scorer.v1 import scorer_service_pb2 as pb
from pointsman.scorer.v1 import scorer_service_pb2_grpc as pb_grpc
from scorers.instance import free_ports

ROOT = Path(__file__).parents[2]
READY_WITHIN_S = 120


@dataclass
class RunningScorers:
    """The process, where it serves, and what it has printed."""

    process: subprocess.Popen[bytes]
    address: str
    log: Path

    def replicas(self, strategy: str) -> list[psutil.Process]:
        """The replicas' processes, by the name that Serve gives them."""
        found = []
        for process in psutil.Process(self.process.pid).children(recursive=True):
            with suppress(psutil.Error):  # gone meanwhile, or dead and not yet reaped
                if " ".join(process.cmdline()).startswith(f"ray::ServeReplica:{strategy}"):
                    found.append(process)
        return found


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningScorers]:
    """random and mf, ready, behind HAProxy; a third strategy can't be built. Started from another directory than the checkout."""
    folder = tmp_path_factory.mktemp("ray")
    port, http_port = free_ports(2)
    settings = {
        "log": {"format": "json"},
        "scorers": {"grpc_port": port, "http_port": http_port},
        "strategies": {"random": {"options": {"seed": 7}}, "mf": {}, "nope": {}},
    }
    (folder / "settings.yaml").write_text(yaml.safe_dump(settings))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "scorers", "--settings", str(folder / "settings.yaml")], cwd=ROOT, stdout=log, stderr=log
        )
    scorers = RunningScorers(process, f"127.0.0.1:{port}", folder / "log")
    try:
        _wait_ready(scorers)
        yield scorers
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_ready(scorers: RunningScorers) -> None:
    until = time.monotonic() + READY_WITHIN_S
    with grpc.insecure_channel(scorers.address) as channel:
        stub = pb_grpc.ScorerServiceStub(channel)
        for strategy in ("random", "mf"):
            while True:
                try:
                    stub.Describe(pb.DescribeRequest(), metadata=(("application", strategy),), timeout=5)
                    break
                except grpc.RpcError:
                    if scorers.process.poll() is not None or time.monotonic() > until:
                        raise TimeoutError(f"{strategy} isn't ready; the log:\n{scorers.log.read_text()}") from None
                    time.sleep(0.2)
