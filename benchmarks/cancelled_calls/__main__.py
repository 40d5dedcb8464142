"""Prints the table."""

from __future__ import annotations

import multiprocessing
import time
from importlib.metadata import version

from benchmarks.cancelled_calls.growth import AT_ONCE, COUNTED, called
from benchmarks.cancelled_calls.kinds import KINDS
from benchmarks.cancelled_calls.server import served


def main() -> None:
    """Prints the table."""
    print("# What calls leave behind\n\n    .venv/bin/python -m benchmarks.cancelled_calls > benchmarks/cancelled_calls.md\n")
    versions = ", ".join(f"{name} {version(name)}" for name in ("grpcio", "uvloop"))
    print(f"{time.strftime('%Y-%m-%d')}, {versions}; {COUNTED:,} calls each, {AT_ONCE} at once.\n")
    print("Bytes of resident memory that a call leaves:\n\n| call | at the client | at the server |\n|---|---|---|")
    for kind in KINDS:
        client, server = _measured(kind)
        print(f"| {kind} | {client:.0f} | {server:.0f} |", flush=True)


def _measured(kind: str) -> list[float]:
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    server = context.Process(target=served, args=(queue,), daemon=True)
    server.start()
    client = context.Process(target=called, args=(queue.get(), kind, queue))
    client.start()
    found: list[float] = queue.get()
    client.join()
    server.kill()
    server.join()
    return found


if __name__ == "__main__":
    main()
