"""Images that this machine can't pull, from Debian's packages, under the names that docker-compose.yml has for them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from typing import Final

from tests.compose.engine import ENGINE, run

_BASE: Final = os.environ.get("PYTHON_IMAGE", "docker.io/library/python:3.11-slim-bookworm")
_DEBIAN: Final[Mapping[str, tuple[str, Sequence[str]]]] = {
    "docker.io/library/redis:": ("redis-server redis-tools", ["USER 999:999"]),
    "docker.io/prom/prometheus:": (
        "prometheus wget",
        ["RUN mkdir -p /prometheus && chown 65534:65534 /prometheus", "USER 65534:65534", 'ENTRYPOINT ["prometheus"]'],
    ),
}


def stand_in(images: Sequence[str]) -> list[str]:
    """Those of the images that are neither here nor can be pulled, and are now made of Debian's package. Raises for others."""
    made = []
    for image in images:
        if run(ENGINE, "image", "inspect", image, check=False).returncode == 0:
            continue
        if run(ENGINE, "pull", "--quiet", image, check=False, timeout=600).returncode == 0:
            continue
        packages, more = next(how for prefix, how in _DEBIAN.items() if image.startswith(prefix))
        lines = [
            f"FROM {_BASE}",
            "USER root",
            # Not by their scripts, which would start them.
            f"RUN apt-get update -q && apt-get install -qy --no-install-recommends {packages}",
            *more,
        ]
        subprocess.run([ENGINE, "build", "-t", image, "-"], input="\n".join(lines), text=True, check=True, timeout=600)
        made.append(image)
    return made
