"""The services that are compared, each started as its own makers say, in front of the same backend."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).parents[2]
BACKEND_PORT: Final = 7101
_LITELLM_PORT, _ROUTELLM_PORT, _REST_PORT = 7201, 7202, 6060
BACKEND: Final = f"http://127.0.0.1:{BACKEND_PORT}/v1"
_READY_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Arm:
    """One service, or the backend alone."""

    name: str
    base_url: str
    model: str
    pid: int | None = None
    """Whose process tree is the whole service."""


@contextlib.contextmanager
def backend(port: int = BACKEND_PORT, chunks: int = 32) -> Iterator[Arm]:
    """The backend alone, `direct`, whose streams have so many chunks."""
    command = [sys.executable, "-m", "benchmarks.proxies.backend", str(port), "--chunks", str(chunks)]
    with _running("direct", command, {}) as pid:
        yield Arm("direct", f"http://127.0.0.1:{port}/v1", "bench", pid)


def behave(base_url: str, *, delay_ms: float = 0, gap_ms: float = 0) -> None:
    """From now on the backend's answers begin so late, and pause so long between two chunks."""
    body = json.dumps({"delay_ms": delay_ms, "gap_ms": gap_ms}).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{base_url.removesuffix('/v1')}/behave", body)) as answer:
        answer.read()


@contextlib.contextmanager
def pointsman(work: Path) -> Iterator[Arm]:
    """`pointsman up` as it is, Ray and all, with the strategy random and default settings otherwise."""
    settings = work / "pointsman.yaml"
    one = f"{{base_url: '{BACKEND}', model: bench, key_env: BENCH_KEY}}"
    settings.write_text(f"backends:\n  strong: {one}\n  weak: {one}\nstrategies: {{random: {{}}}}\n")
    command = [sys.executable, "-m", "pointsman.cli", "up", "--settings", str(settings)]
    with _running("pointsman", command, {"BENCH_KEY": "none", "POINTSMAN_RECORDS_DIR": str(work / "records")}) as pid:
        yield Arm("pointsman", f"http://127.0.0.1:{_REST_PORT}/v1", "router-random-0.5", pid)


@contextlib.contextmanager
def litellm(work: Path) -> Iterator[Arm]:
    """LiteLLM's proxy with one worker, which is its default; no database, no key."""
    config = work / "litellm.yaml"
    model = f"  - model_name: bench\n    litellm_params: {{model: openai/bench, api_base: '{BACKEND}', api_key: none}}\n"
    config.write_text(f"model_list:\n{model}litellm_settings: {{telemetry: false}}\n")
    where = _environment("litellm")
    command = [str(where / "litellm"), "--config", str(config), "--host", "127.0.0.1", "--port", str(_LITELLM_PORT)]
    settings = {"LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    with _running("litellm", command, settings) as pid:
        yield Arm("litellm", f"http://127.0.0.1:{_LITELLM_PORT}/v1", "bench", pid)


@contextlib.contextmanager
def routellm(work: Path) -> Iterator[Arm]:
    """RouteLLM's server with its router random."""
    models = ["--strong-model", "openai/strong", "--weak-model", "openai/weak"]
    target = ["--base-url", BACKEND, "--api-key", "none", "--port", str(_ROUTELLM_PORT)]
    script = str(Path(__file__).with_name("routellm_server.py"))
    command = [str(_environment("routellm") / "python"), script, "--routers", "random", *models, *target]
    with _running("routellm", command, {"OPENAI_API_KEY": "none", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "HF_HUB_OFFLINE": "1"}) as pid:
        yield Arm("routellm", f"http://127.0.0.1:{_ROUTELLM_PORT}/v1", "router-random-0.5", pid)


def installed() -> list[str]:
    """Which of the two others `make bench-arms` has installed."""
    return [name for name in ("litellm", "routellm") if (_environment(name) / "python").exists()]


def _environment(name: str) -> Path:
    return _ROOT / ".venv" / name / "bin"


@contextlib.contextmanager
def _running(name: str, command: list[str], settings: dict[str, str]) -> Iterator[int]:
    """A service that answers a chat; its output goes nowhere, as in production it goes to a collector."""
    environment = {**os.environ, **settings, "PYTHONPATH": str(_ROOT)}
    if name != "pointsman":
        del environment["PYTHONPATH"]
    cwd = _ROOT if name in ("direct", "pointsman") else Path("/")
    nowhere = subprocess.DEVNULL
    is_measured = name != "direct"
    process = subprocess.Popen(
        command, env=environment, cwd=cwd, stdin=nowhere, stdout=nowhere, stderr=nowhere, start_new_session=is_measured
    )
    try:
        time.sleep(1)
        if process.poll() is not None:
            raise RuntimeError(f"{name} ended at once: is its port taken?")
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(arm: Arm) -> None:
    """Until it answers a chat. Raises `TimeoutError`."""
    body = f'{{"model": "{arm.model}", "messages": [{{"role": "user", "content": "hello"}}]}}'.encode()
    until = time.monotonic() + _READY_S
    while time.monotonic() < until:
        request = urllib.request.Request(f"{arm.base_url}/chat/completions", body, {"content-type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                answer.read()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise TimeoutError(f"{arm.name} doesn't answer after {_READY_S:.0f} s")
