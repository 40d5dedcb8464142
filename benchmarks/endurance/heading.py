"""What stands over each table: machine, versions, command."""

from __future__ import annotations

import os
import platform
import shlex
import sys
import time
from importlib.metadata import version
from pathlib import Path

import psutil


def heading(title: str, load_before: float, module: str = "benchmarks.endurance") -> list[str]:
    """Lines of Markdown; `load_before` is the machine's load average before anything was started."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").is_file() else []
    processor = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
    versions = ", ".join(f"{name} {version(name)}" for name in ("ray", "grpcio", "uvicorn", "uvloop", "aiohttp"))
    memory = psutil.virtual_memory().total / 2**30
    return [
        f"# {title}",
        "",
        f"    .venv/bin/python -m {module} {shlex.join(sys.argv[1:])}".rstrip(),
        "",
        f"{time.strftime('%Y-%m-%d')}, {processor}, {os.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()},"
        f" {versions}. Load average before: {load_before:.1f}.",
        "",
    ]
