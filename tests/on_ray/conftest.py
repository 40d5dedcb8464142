"""Real clusters: `python -m scorers`, as the supervisor starts it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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

    address: str
    log: Path
    settings_file: Path
    process: subprocess.Popen[bytes] = field(init=False)

    def write(self, settings: dict[str, Any]) -> None:
        """Puts the settings into the file."""
        self.settings_file.write_text(yaml.safe_dump(settings))

    def change(self, **strategies: Any) -> None:
        """Changes strategies in the file (None: takes one out) and has it read again."""
        settings = yaml.safe_load(self.settings_file.read_text())
        changed = {**settings["strategies"], **strategies}
        self.write({**settings, "strategies": {name: each for name, each in changed.items() if each is not None}})
        self.process.send_signal(signal.SIGHUP)

    def events(self) -> list[dict[str, Any]]:
        """What it has logged, as far as it's ours."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

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
    """random and mf, ready, behind HAProxy; a third strategy can't be built."""
    with started_scorers(tmp_path_factory.mktemp("ray"), {"random": {"options": {"seed": 7}}, "mf": {}, "nope": {}}) as scorers:
        wait_ready(scorers, "random", "mf")
        yield scorers


@contextmanager
def started_scorers(folder: Path, strategies: dict[str, Any]) -> Iterator[RunningScorers]:
    """`python -m scorers` on free ports, started from another directory than the checkout; stopped on leaving."""
    port, http_port = free_ports(2)
    scorers = RunningScorers(f"127.0.0.1:{port}", folder / "log", folder / "settings.yaml")
    scorers.write({"log": {"format": "json"}, "scorers": {"grpc_port": port, "http_port": http_port}, "strategies": strategies})
    with scorers.log.open("wb") as log:
        scorers.process = subprocess.Popen(
            [sys.executable, "-m", "scorers", "--settings", str(scorers.settings_file)], cwd=ROOT, stdout=log, stderr=log
        )
    try:
        yield scorers
    finally:
        scorers.process.terminate()
        try:
            scorers.process.wait(60)
        except subprocess.TimeoutExpired:
            scorers.process.kill()
            scorers.process.wait()


def wait_ready(scorers: RunningScorers, *strategies: str) -> None:
    """Until each of them describes itself. Raises `TimeoutError` with the log."""
    until = time.monotonic() + READY_WITHIN_S
    with grpc.insecure_channel(scorers.address) as channel:
        stub = pb_grpc.ScorerServiceStub(channel)
        for strategy in strategies:
            while True:
                try:
                    stub.Describe(pb.DescribeRequest(), metadata=(("application", strategy),), timeout=5)
                    break
                except grpc.RpcError:
                    if scorers.process.poll() is not None or time.monotonic() > until:
                        raise TimeoutError(f"{strategy} isn't ready; the log:\n{scorers.log.read_text()}") from None
                    time.sleep(0.2)
