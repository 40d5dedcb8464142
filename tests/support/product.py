"""The whole product as its users start it: `pointsman up`, in a process of its own, on free ports."""

from __future__ import annotations

import json
import random
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

ROOT = Path(__file__).parents[2]


@dataclass
class Product:
    """A running `pointsman up`."""

    process: subprocess.Popen[str]
    output: Path
    rest: str
    grpc: str
    scorers: str
    settings: dict[str, Any]

    def children(self) -> list[psutil.Process]:
        """Every process below it."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def pids(self, *words: str) -> list[int]:
        """Those whose command line has all the words; not the keepers, which stand between the supervisor and each service."""
        found = []
        for child in self.children():
            try:
                line = " ".join(child.cmdline())
            except psutil.Error:
                continue
            if all(word in line for word in words) and "keeper.py" not in line:
                found.append(child.pid)
        return found

    def ready(self) -> bool:
        """Whether /readyz has every strategy ready."""
        try:
            with urllib.request.urlopen(f"{self.rest}/readyz", timeout=5) as response:
                return set(json.load(response)["strategies"].values()) == {"ready"}
        except (urllib.error.URLError, OSError):
            return False

    def wait_ready(self, seconds: float = 90) -> None:
        """Until it is. Raises `TimeoutError` with what was printed."""
        until = time.monotonic() + seconds
        while not self.ready():
            if self.process.poll() is not None or time.monotonic() > until:
                raise TimeoutError(f"not ready; it printed:\n{self.output.read_text()}")
            time.sleep(0.2)

    def stop(self, seconds: float = 60) -> list[psutil.Process]:
        """SIGTERM; gives the processes that were below it and still live."""
        children = self.children()
        self.process.terminate()
        self.process.wait(seconds)
        return psutil.wait_procs(children, timeout=1)[1]


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens on."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def free_block(count: int) -> int:
    """The first of so many ports in a row that nothing listens on; below those that the kernel hands out."""
    while True:
        first = random.randrange(20_000, 30_000)
        with ExitStack() as stack, suppress(OSError):
            for port in range(first, first + count):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return first


@contextmanager
def running_product(folder: Path, *arguments: str, ready_s: float = 180, **settings: Any) -> Iterator[Product]:
    """`pointsman up` with settings for free ports and, over them, these; ready; stopped on leaving."""
    rest, grpc, controller, metrics, serve, http, strong, weak = free_ports(8)
    written: dict[str, Any] = {
        "gateway": {"rest_port": rest, "grpc_port": grpc, "controllers": [f"127.0.0.1:{controller}"], "drain_s": 2},
        "controller": {"grpc_port": controller, "metrics_port": metrics, "scorers": f"127.0.0.1:{serve}", "drain_s": 2},
        "scorers": {"grpc_port": serve, "http_port": http},
        "local_llm": {"strong_port": strong, "weak_port": weak},
    }
    written |= {key: {**written[key], **value} if key in written else value for key, value in settings.items()}
    path, output = folder / "settings.yaml", folder / "up.log"
    path.write_text(yaml.safe_dump(written))
    with output.open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "pointsman.cli", "up", "--settings", str(path), *arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
        )
    gateway = written["gateway"]
    edge = f"http://127.0.0.1:{gateway['rest_port']}", f"127.0.0.1:{gateway['grpc_port']}"
    product = Product(process, output, *edge, f"127.0.0.1:{serve}", written)
    try:
        product.wait_ready(ready_s)
        yield product
    finally:
        if process.poll() is None:
            product.stop()
