"""docker or podman, and its compose."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]


def _engine() -> str:
    """docker where its daemon answers, else podman; CONTAINERS names another."""
    docker = shutil.which("docker")
    if docker and subprocess.run([docker, "info"], capture_output=True, check=False).returncode:
        docker = None
    return os.environ.get("CONTAINERS") or docker or shutil.which("podman") or "podman"


ENGINE: Final = _engine()
IS_PODMAN: Final = Path(ENGINE).name == "podman"
_COMPOSE: Final = [str(Path(sys.prefix) / "compose/bin/podman-compose")] if IS_PODMAN else [ENGINE, "compose"]


def run(*command: str, check: bool = True, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Its output is kept. Raises `CalledProcessError` with it where it fails and `check` is set."""
    # podman builds in a format of its own otherwise, which has no health checks.
    environment = {**os.environ, "BUILDAH_FORMAT": "docker"}
    return subprocess.run(command, check=check, timeout=timeout, text=True, capture_output=True, cwd=ROOT, env=environment)


def compose(*arguments: str, timeout: float = 1800) -> str:
    """Of docker-compose.yml, under a project name of the test's own, so that nobody's running stack is touched. Output is shown."""
    done = run(*_COMPOSE, "-p", "pointsman-test", *arguments, check=False, timeout=timeout)
    if done.returncode:
        raise RuntimeError(f"compose {' '.join(arguments)}: {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
    return done.stdout
