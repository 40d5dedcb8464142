"""One measurement: load of one kind on one address, and what the services used meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from pointsman.client import AsyncClient
from pointsman.loadtest import rest, rpc
from pointsman.loadtest.driving import Call, Load, drive
from pointsman.loadtest.processes import Used, used
from pointsman.loadtest.samples import Summary, summary


@dataclass(frozen=True, slots=True)
class Target:
    """What is called."""

    kind: str
    """`json` or `sse` over REST; `route`, `chat` or `stream` over gRPC."""
    address: str
    """A base URL up to /v1 over REST, host:port over gRPC."""
    model: str
    timeout_s: float
    headers: Mapping[str, str] = field(default_factory=dict)
    """Over REST."""
    pids: Mapping[str, int] = field(default_factory=dict)
    """The services whose process trees are watched, by name."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of it."""

    summary: Summary
    cpu_s: Mapping[str, float]
    """Of each service's process tree, while it was measured."""
    rss_bytes: Mapping[str, int]
    """Of each, at the end."""

    def cpu_ms_per_call(self) -> dict[str, float]:
        """Milliseconds of CPU per answered call; seconds per thousand are the same number."""
        good = self.summary.calls - sum(self.summary.errors.values())
        return {name: round(1000 * seconds / good, 3) for name, seconds in self.cpu_s.items()} if good else {}


async def measure(target: Target, load: Load, prompts: Iterator[str]) -> Measured:
    """Presses and counts. Raises `ProcessLookupError` for a process that isn't there."""
    before: dict[str, Used] = {}

    async def begin_counting() -> None:
        await asyncio.sleep(load.warmup_s)
        before.update(_used(target.pids))

    async with _calls(target, prompts) as call:
        counting = asyncio.ensure_future(begin_counting())
        samples = await drive(call, load)
        await counting
        after = _used(target.pids)
    return Measured(
        summary(samples, load.seconds),
        {name: after[name].cpu_s - before[name].cpu_s for name in after},
        {name: each.rss_bytes for name, each in after.items()},
    )


def _used(pids: Mapping[str, int]) -> dict[str, Used]:
    return {name: used(pid) for name, pid in pids.items()}


def _calls(target: Target, prompts: Iterator[str]) -> AbstractAsyncContextManager[Call]:
    if target.kind in ("json", "sse"):
        return rest.chats(
            target.address, prompts, model=target.model, stream=target.kind == "sse", headers=target.headers, timeout_s=target.timeout_s
        )
    client = AsyncClient(target.address)
    return rpc.calls(client, prompts, kind=target.kind, model=target.model, timeout_s=target.timeout_s)
