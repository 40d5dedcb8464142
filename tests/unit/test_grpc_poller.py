"""The choice reaches gRPC, and the installed gRPC knows what is chosen."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from pointsman.runtime.grpc_poller import VALUE, VARIABLE

_CALL = """
import sys
from pointsman.runtime import grpc_poller
grpc_poller.choose()
assert "grpc" not in sys.modules
import asyncio, grpc, os, pathlib
from pointsman.runtime.grpc_server import Health, bind, build_server
from grpc_health.v1 import health_pb2, health_pb2_grpc

async def call():
    server = build_server(max_concurrent=10, max_body_bytes=1000)
    health = Health(server, [])
    port = bind(server, "127.0.0.1", 0)
    await server.start()
    await health.set("", True)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        print(await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest()))
    await server.stop(0)

asyncio.run(call())
print(os.environ["GRPC_EXPERIMENTS"])
"""


def _run(**variables: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name != VARIABLE}
    return subprocess.run(
        [sys.executable, "-c", _CALL],
        env={**inherited, **variables},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )


def test_a_call_is_answered_and_no_choice_is_unknown() -> None:
    """Where a new gRPC has dropped one, this says so."""
    done = _run()
    assert (done.stdout.split(), "xperiment" in done.stderr) == (["status:", "SERVING", VALUE], False)


def test_the_operators_own_choice_stands() -> None:
    assert _run(GRPC_EXPERIMENTS="event_engine_client").stdout.split()[-1] == "event_engine_client"
