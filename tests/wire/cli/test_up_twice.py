"""`pointsman up` where it runs already."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

from tests.support.product import free_ports
from tests.wire.cli.test_commands import pointsman_command


def _on(rest: int, grpc: int, controller: int, metrics: int, serve: int, http: int, strong: int, weak: int) -> dict[str, dict[str, object]]:
    """Settings of these ports: on the usual ones somebody may be at work."""
    return {
        "gateway": {"rest_port": rest, "grpc_port": grpc, "controllers": [f"127.0.0.1:{controller}"]},
        "controller": {"grpc_port": controller, "metrics_port": metrics, "scorers": f"127.0.0.1:{serve}"},
        "scorers": {"grpc_port": serve, "http_port": http},
        "local_llm": {"strong_port": strong, "weak_port": weak},
    }


async def test_up_says_that_pointsman_runs_already(tmp_path: Path) -> None:
    """In one sentence: who starts it twice hardly wants other ports."""
    (tmp_path / "gateway.py").write_text(
        "import socket\nwith socket.create_server(('127.0.0.1', 0)) as s:\n    print(s.getsockname()[1], flush=True)\n    input()\n"
    )
    first = await asyncio.create_subprocess_exec(sys.executable, "-m", "gateway", cwd=tmp_path, stdin=PIPE, stdout=PIPE)
    assert first.stdout
    try:
        port = int(await first.stdout.readline())
        (tmp_path / "settings.yaml").write_text(json.dumps(_on(port, *free_ports(7))))
        done = await pointsman_command("up", "--settings", "settings.yaml", cwd=tmp_path)
    finally:
        first.kill()
        await first.wait()
    assert (done.code, done.out) == (1, "")
    assert f"Pointsman runs on this machine already, on ports {port}: stop it first (Ctrl-C" in done.err
    assert f"{port} can't be bound" not in done.err
