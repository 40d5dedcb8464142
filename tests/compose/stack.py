"""The running stack: its containers, their health, and what is left after it."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from tests.compose.engine import ENGINE, IS_PODMAN, compose, run

PROJECT: Final = "pointsman-test"
REST, GRPC = "http://127.0.0.1:6060", "127.0.0.1:50051"
_LABEL: Final = f"label=com.docker.compose.project={PROJECT}"


_NO_DEPS: Final = ["--no-deps"] if IS_PODMAN else []
_OBSERVED: Final = ["--profile", "observability"]


@dataclass(frozen=True)
class Container:
    """One of the stack."""

    name: str
    service: str
    running: bool


def containers() -> list[Container]:
    """All of the stack, those that have ended too."""
    names = run(ENGINE, "ps", "--all", "--filter", _LABEL, "--format", "{{.Names}}").stdout.split()
    return [_container(told) for told in _inspected("container", names)]


def build() -> None:
    """All images of the default stack, anew where their sources have changed; compose would build for each service that runs one."""
    run("make", "images", f"CONTAINERS={ENGINE}", timeout=1800)


def up() -> None:
    """Starts the default stack. podman-compose would have containers require what they depend on, so that one which has ended for good, as
    `tokens` has, keeps others from being started again."""
    compose("up", "--detach", *_NO_DEPS)


def up_prometheus() -> None:
    """One of the profile `observability`."""
    compose(*_OBSERVED, "up", "--detach", *_NO_DEPS, "prometheus")


def unhealthy() -> list[str]:
    """Those that should serve and don't, and why, by their own health checks, asked now (where nothing runs them on time: podman without
    systemd)."""
    serving = [each for each in containers() if each.service != "tokens"]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(_illness, serving))
    return [illness for illness in found if illness]


def wait_healthy(within_s: float) -> float:
    """Seconds until all are. Raises `TimeoutError` that names who isn't."""
    begun = time.monotonic()
    while ill := unhealthy():
        if time.monotonic() > begun + within_s:
            raise TimeoutError("; ".join(ill))
        time.sleep(2)
    return time.monotonic() - begun


def kill(name: str) -> None:
    """By SIGKILL to its first process, as the kernel does for want of memory. What `docker kill` or `podman kill` ends counts as stopped
    by hand, and stays so."""
    [told] = _inspected("container", [name])
    os.kill(told["State"]["Pid"], signal.SIGKILL)


def down() -> list[str]:
    """Stops all, and says what is left: containers, networks, volumes of the project."""
    with suppress(RuntimeError):  # who was just being started again is there after the first
        compose(*_OBSERVED, "down", "--volumes", "--timeout", "40")
    compose(*_OBSERVED, "down", "--volumes", "--timeout", "40")
    left = run(ENGINE, "ps", "--all", "--quiet", "--filter", _LABEL).stdout.split()
    for kind in ("network", "volume"):
        left += [name for name in run(ENGINE, kind, "ls", "--format", "{{.Name}}").stdout.split() if name.startswith(PROJECT)]
    return left


def logs(name: str, lines: int = 40) -> str:
    """Its last lines."""
    done = run(ENGINE, "logs", "--tail", str(lines), name, check=False)
    return done.stdout + done.stderr


def images(kinds: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
    """What the engine knows of each image, by its name."""
    return dict(zip(kinds, _inspected("image", kinds), strict=True))


def _illness(container: Container) -> str | None:
    if not container.running:
        return f"{container.name} doesn't run"
    done = run(ENGINE, "healthcheck", "run", container.name, check=False)
    if done.returncode == 0:
        return None
    said = " ".join((done.stdout + done.stderr).split())
    return f"{container.name}: {said[-200:] or done.returncode}"


def _container(told: Mapping[str, Any]) -> Container:
    labels = told["Config"]["Labels"] or {}
    return Container(told["Name"].lstrip("/"), labels.get("com.docker.compose.service", ""), told["State"]["Status"] == "running")


def _inspected(kind: str, names: Sequence[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(ENGINE, kind, "inspect", *names).stdout) if names else []
    return found
