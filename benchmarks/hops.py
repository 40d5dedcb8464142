"""What the two hops behind the gateway cost by the way they are made. On purpose, not in CI:

    .venv/bin/python -m benchmarks.hops > benchmarks/hops.md

Between gateway and controller: a call whose answer is metadata and three messages, one message of a stream, one message of a unary
call; each with gRPC as it is, without its EventEngine (decision 0019), and under SCHED_BATCH (decision 0021). Between controller and
backend: httpx's client, its transport alone, aiohttp. Client and server are processes of their own; CPU is theirs, sixteen calls at once.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any, Final

import aiohttp
import grpc
import httpx
import uvloop
from httpx_aiohttp import AiohttpTransport

from benchmarks.proxies import arms
from pointsman.runtime.scheduling import schedule

_PORT: Final = 7301
_CALLS, _AT_ONCE, _ROUNDS = 3000, 16, 5
_ASKED, _ANSWERED = b"x" * 1500, b"x" * 3000
Call = Callable[[], Awaitable[None]]
_VARIABLE: Final = "GRPC_EXPERIMENTS"
_BATCH: Final = ", under SCHED_BATCH"
_POLLERS: Final = {"": "", _BATCH: "", ", gRPC without its EventEngine": "-event_engine_client,-event_engine_listener"}


async def _three(request: bytes, context: Any) -> None:
    await context.send_initial_metadata([("x-pointsman-tier", "strong")] * 8)
    for size in (300, 2200, 500):
        await context.write(_ANSWERED[:size])


async def _one(request: bytes, context: Any) -> None:
    await context.write(_ANSWERED)


async def _unary(request: bytes, context: Any) -> bytes:
    return _ANSWERED


async def _cpu(request: bytes, context: Any) -> bytes:
    return str(time.process_time()).encode()


async def _serve() -> None:
    handlers: dict[str, Any] = {
        "three": grpc.unary_stream_rpc_method_handler(_three),
        "one": grpc.unary_stream_rpc_method_handler(_one),
        "unary": grpc.unary_unary_rpc_method_handler(_unary),
        "cpu": grpc.unary_unary_rpc_method_handler(_cpu),
    }
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("hops", handlers),))
    server.add_insecure_port(f"127.0.0.1:{_PORT}")
    await server.start()
    await server.wait_for_termination()


def _server() -> None:
    uvloop.run(_serve())


async def _cost(call: Call) -> float:
    """Microseconds of this process's CPU per call."""
    begun = time.process_time()

    async def caller() -> None:
        for _ in range(_CALLS // _AT_ONCE):
            await call()

    await asyncio.gather(*(caller() for _ in range(_AT_ONCE)))
    return 1e6 * (time.process_time() - begun) / _CALLS


async def _grpc_hop(how: str) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{_PORT}") as channel:
        await channel.channel_ready()
        cpu: Any = channel.unary_unary("/hops/cpu")

        def streamed(name: str) -> Call:
            method: Any = channel.unary_stream(f"/hops/{name}")

            async def call() -> None:
                answer = method(_ASKED, timeout=60)
                while await answer.read() is not grpc.aio.EOF:
                    pass

            return call

        unary: Any = channel.unary_unary("/hops/unary")

        async def whole() -> None:
            await unary(_ASKED, timeout=60)

        ways = {"metadata and three messages": streamed("three"), "one message of a stream": streamed("one"), "unary": whole}
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for _ in range(_ROUNDS):
            for name, call in ways.items():
                before = float(await cpu(b""))
                client = await _cost(call)
                found[name].append((client, 1e6 * (float(await cpu(b"")) - before) / _CALLS))
        for name, measured in found.items():
            client, server = (statistics.median(values) for values in zip(*measured, strict=True))
            print(f"| gateway to controller | {name}{how} | {client:.0f} | {server:.0f} |")


async def _http_hop() -> None:
    url, body = (
        f"{arms.BACKEND}/chat/completions",
        b'{"model": "bench", "messages": [{"role": "user", "content": "' + b"hello " * 40 + b'"}]}',
    )
    headers = [("content-type", "application/json"), ("authorization", "Bearer none"), ("accept-encoding", "identity")]

    def session() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1000), cookie_jar=aiohttp.DummyCookieJar())

    client = httpx.AsyncClient(transport=AiohttpTransport(client=session), trust_env=False)
    transport, plain = AiohttpTransport(client=session, trust_env=False), session()

    async def by_client() -> None:
        response = await client.send(client.build_request("POST", url, headers=headers, content=body), stream=True)
        async for _ in response.aiter_raw():
            pass
        await response.aclose()

    async def by_transport() -> None:
        response = await transport.handle_async_request(httpx.Request("POST", url, headers=headers, content=body))
        async for _ in response.aiter_raw():
            pass
        await response.aclose()

    async def by_aiohttp() -> None:
        async with plain.post(url, data=body, headers=headers) as response:
            await response.read()

    ways = {"httpx's client": by_client, "httpx's transport": by_transport, "aiohttp": by_aiohttp}
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(_ROUNDS):
        for name, call in ways.items():
            found[name].append(await _cost(call))
    for name, measured in found.items():
        print(f"| controller to backend | {name} | {statistics.median(measured):.0f} | |")
    await asyncio.gather(client.aclose(), transport.aclose(), plain.close())


def main() -> None:
    """Prints the table."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("grpcio", "httpx", "httpx-aiohttp", "aiohttp", "uvloop"))
    print("# What the hops behind the gateway cost\n\n`.venv/bin/python -m benchmarks.hops > benchmarks/hops.md`\n")
    print(
        f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {versions}.",
        end=" ",
    )
    print(f"Medians of {_ROUNDS} rounds of {_CALLS} calls, {_AT_ONCE} at once; microseconds of CPU per call.\n")
    print("| hop | way | client | server |\n|---|---|---|---|", flush=True)
    for how, choice in _POLLERS.items():
        # gRPC reads the variable when it's imported.
        subprocess.run([sys.executable, "-m", "benchmarks.hops", "--grpc", how], env={**os.environ, _VARIABLE: choice}, check=True)
    with arms.backend() as backend:
        arms.wait_for(backend)
        uvloop.run(_http_hop())


def _grpc(how: str) -> None:
    schedule("batch" if how == _BATCH else "normal")
    server = multiprocessing.get_context("spawn").Process(target=_server)
    server.start()
    try:
        uvloop.run(_grpc_hop(how))
    finally:
        server.terminate()
        server.join()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--grpc"]:
        _grpc(sys.argv[2])
    else:
        main()
