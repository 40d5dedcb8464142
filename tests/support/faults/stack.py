"""A gateway, two controllers, stand-in scorers and two backends that fail as they are told: each a process, restarted when it dies."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.support.faults.specs import HOSTNAME, Ports, specs
from tests.support.product import ROOT, free_ports


@dataclass
class Stack:
    """A running one."""

    process: subprocess.Popen[bytes]
    folder: Path
    ports: Ports

    @property
    def rest(self) -> str:
        """The gateway's URL."""
        return f"http://127.0.0.1:{self.ports.rest}"

    @property
    def grpc(self) -> str:
        """The gateway's RouteService."""
        return f"127.0.0.1:{self.ports.grpc}"

    def pid(self, name: str) -> int:
        """Of the gateway or a controller (`controller-1`); 0 while there is none."""
        for child in psutil.Process(self.process.pid).children(recursive=True):
            try:
                line = child.cmdline()
            except psutil.Error:
                continue
            if line and str(self.folder / f"{name}.json") == line[-1] and "keeper.py" not in " ".join(line):
                return child.pid
        return 0

    def pids(self) -> dict[str, list[int]]:
        """Of the services whose memory counts."""
        found = {"gateway": [self.pid("gateway")], "controllers": [self.pid("controller-1"), self.pid("controller-2")]}
        return {name: [pid for pid in pids if pid] for name, pids in found.items()}

    def tell_weak(self, fault: str) -> None:
        """What fails from now on."""
        _told(self.ports.tell_weak, fault)

    def weak_state(self) -> dict[str, int]:
        """What the weak backend has seen."""
        return json.loads(_get(f"http://127.0.0.1:{self.ports.tell_weak}/"))  # type: ignore[no-any-return]

    def in_progress(self) -> float:
        """Requests at the gateway, on both protocols; this one isn't counted."""
        found = re.findall(r"^pointsman_gateway_requests_in_progress\{.*\} (\S+)$", _get(f"{self.rest}/metrics"), re.MULTILINE)
        return sum(map(float, found)) - 1

    def metric(self, line: str) -> float:
        """The sum over the controllers of one metric, by its name and labels as Prometheus has them."""
        texts = [_get(f"http://127.0.0.1:{port}/metrics") for port in self.ports.metrics]
        return sum(float(value) for text in texts for value in re.findall(rf"^{re.escape(line)} (\S+)$", text, re.MULTILINE))

    def wait_ready(self, seconds: float = 90) -> None:
        """Until the gateway and both controllers are. Raises `TimeoutError` with what was printed."""
        until = time.monotonic() + seconds
        while not ("all are ready" in (self.folder / "up.log").read_text() and all(len(pids) for pids in self.pids().values())):
            if self.process.poll() is not None or time.monotonic() > until:
                raise TimeoutError(f"not ready:\n{(self.folder / 'up.log').read_text()}")
            time.sleep(0.1)


def _told(port: int, fault: str) -> None:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/", json.dumps({"fault": fault}).encode())
    urllib.request.urlopen(request, timeout=5).close()


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as response:
        return str(response.read(), "utf-8")


class Hosts:
    """A hosts file of the controllers' own, over /etc/hosts in a mount namespace of theirs."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "hosts"
        self.is_there(True)
        flags = "-m" if os.geteuid() == 0 else "-rm"
        self.prefix = ["unshare", flags, "sh", "-c", f'mount --bind {self.file} /etc/hosts && exec "$@"', "sh"]

    def is_there(self, there: bool) -> None:
        """Whether the weak backend's name can be looked up; written in place, as the mount is of this very file."""
        self.file.write_text("127.0.0.1 localhost\n" + (f"127.0.0.1 {HOSTNAME}\n" if there else ""))

    def can_be_mounted(self) -> bool:
        """Namespaces of one's own aren't allowed everywhere."""
        if not shutil.which(self.prefix[0]):
            return False
        return subprocess.run([*self.prefix, "true"], check=False, capture_output=True).returncode == 0


@contextmanager
def running_stack(folder: Path, *, services_prefix: Sequence[str] = (), hosts: Hosts | None = None, open_s: float = 10) -> Iterator[Stack]:
    """A ready one, stopped on leaving. `services_prefix` is a command before the gateway's and the controllers' own, `open_s` their
    breakers'."""
    each = free_ports(11)
    ports = Ports(each[0], each[1], (each[2], each[3]), (each[4], each[5]), *each[6:])
    (folder / "specs.json").write_text(json.dumps(specs(folder, ports, services_prefix, hosts.prefix if hosts else (), open_s)))
    with (folder / "up.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.faults.supervise", str(folder)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    stack = Stack(process, folder, ports)
    try:
        stack.wait_ready()
        yield stack
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
