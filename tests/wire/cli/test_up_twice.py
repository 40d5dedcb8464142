"""`pointsman up` where it runs already."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

from tests.wire.cli.test_commands import pointsman_command


async def test_up_says_that_pointsman_runs_already(tmp_path: Path) -> None:
    """In one sentence: who starts it twice hardly wants other ports."""
    (tmp_path / "gateway.py").write_text(
        "import socket\nwith socket.create_server(('127.0.0.1', 0)) as s:\n    print(s.getsockname()[1], flush=True)\n    input()\n"
    )
    first = await asyncio.create_subprocess_exec(sys.executable, "-m", "gateway", cwd=tmp_path, stdin=PIPE, stdout=PIPE)
    assert first.stdout
    try:
        port = int(await first.stdout.readline())
        (tmp_path / "settings.yaml").write_text(f"gateway: {{rest_port: {port}}}\n")
        done = await pointsman_command("up", "--settings", "settings.yaml", cwd=tmp_path)
    finally:
        first.kill()
        await first.wait()
    assert (done.code, done.out) == (1, "")
    assert f"Pointsman runs on this machine already, on ports {port}: stop it first (Ctrl-C" in done.err
    assert f"{port} can't be bound" not in done.err
