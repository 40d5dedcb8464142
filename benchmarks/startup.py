"""How long `pointsman up` takes to be ready, and how much memory it then holds. On purpose, not in CI:

    .venv/bin/python benchmarks/startup.py [--runs 3]

Prints a Markdown table. Memory is the proportional set size (PSS), so that pages shared by processes count once; it is read
after a chat routed by each strategy, when every part has done some work.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from importlib.metadata import version
from pathlib import Path

import psutil

_ROOT = Path(__file__).parents[1]
_REST = "http://127.0.0.1:6060"
_STRATEGIES = ("mf", "sw_ranking", "bert", "causal_llm", "random")
_PARTS = (
    "-m gateway",
    "-m controller",
    "-m deploy.local_llm",
    *(f"ServeReplica:{name}" for name in _STRATEGIES),
    "-m scorers",
    "keeper.py",
)


def main() -> None:
    """Runs it several times and prints the medians."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=3)
    runs = [_measure() for _ in range(parser.parse_args().runs)]
    ready = statistics.median(seconds for seconds, _ in runs)
    names = sorted({name for _, memory in runs for name in memory})
    medians = {name: statistics.median(memory[name] for _, memory in runs) for name in names}
    total = statistics.median(sum(memory.values()) for _, memory in runs)
    print(f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, ", end="")
    print(", ".join(f"{package} {version(package)}" for package in ("ray", "torch", "grpcio")), end="\n\n")
    print(f"| what | median of {len(runs)} |\n|---|---|")
    print(f"| from the command to ready | {ready:.1f} s |")
    print(f"| PSS, all processes | {total / 2**20:,.0f} MiB |")
    for name in sorted(names, key=lambda name: -medians[name]):
        print(f"| … {name} | {medians[name] / 2**20:,.0f} MiB |")


def _measure() -> tuple[float, Counter[str]]:
    begun = time.monotonic()
    up = subprocess.Popen(
        [sys.executable, "-m", "pointsman.cli", "up"], cwd=_ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, text=True
    )
    try:
        while not _ready():
            if up.poll() is not None:
                raise SystemExit("it ended before it was ready; run `make run` to see why")
            time.sleep(0.05)
        seconds = time.monotonic() - begun
        _chat()
        return seconds, _memory(up.pid)
    finally:
        up.send_signal(signal.SIGTERM)
        up.wait()


def _ready() -> bool:
    try:
        with urllib.request.urlopen(f"{_REST}/readyz", timeout=2) as response:
            return set(json.load(response)["strategies"].values()) == {"ready"}
    except OSError:
        return False


def _chat() -> None:
    for strategy in _STRATEGIES:
        messages = [{"role": "user", "content": "What is the capital of France?"}]
        body = {"model": f"router-{strategy}-0.5", "messages": messages, "max_tokens": 8}
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(f"{_REST}/v1/chat/completions", json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=60) as response:
            response.read()


def _memory(pid: int) -> Counter[str]:
    """Bytes of PSS by part."""
    memory: Counter[str] = Counter()
    for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
        line = " ".join(process.cmdline()) or process.name()
        part = next((part for part in reversed(_PARTS) if part in line), "Ray and Serve" if process.pid != pid else "pointsman up")
        memory[part.removeprefix("-m ")] += process.memory_full_info().pss
    return memory


if __name__ == "__main__":
    main()
