"""What a decision costs each service, of the whole product under load: the premises that aren't a router's own time."""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import uvloop

from benchmarks.endurance.services import Services, services
from pointsman.loadtest.driving import Call, Load, drive
from pointsman.loadtest.processes import used
from pointsman.loadtest.prompts import made
from pointsman.loadtest.rest import chats
from pointsman.loadtest.samples import Sample
from pointsman.runtime.whole_files import written_whole
from pointsman.scorer.v1 import scorer_service_pb2 as pb
from pointsman.scorer.v1 import scorer_service_pb2_grpc as pb_grpc

_CALLERS = 64
_CALLS_AT_ONCE = 16
_WARM_UP_S = 0.5


def measure_services(rounds: int, seconds: float, file: Path) -> None:
    """Writes the processor milliseconds into `file`, which stays as it is otherwise."""
    load = os.getloadavg()[0]
    with services() as running:
        found = uvloop.run(_measured(running, rounds, seconds))
    known: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    known["cpu_ms_per_decision"] = {name: round(milliseconds, 3) for name, milliseconds in found.items()}
    known["sources"]["cpu_ms_per_decision"] = (
        f"python -m benchmarks.growth services, {time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, load {load:.1f} at the start; medians "
        f"of {rounds} rounds of {seconds:g} s: gateway and controller by whole answers to {_CALLERS} callers over REST, strategy random; "
        f"serve_per_call is all of Ray while {_CALLS_AT_ONCE} callers ask a replica of random directly, one prompt a call"
    )
    with written_whole(file) as opened:
        opened.write((json.dumps(known, indent=1) + "\n").encode())


async def _measured(running: Services, rounds: int, seconds: float) -> dict[str, float]:
    pids = running.pids()
    rows: dict[str, list[float]] = {"gateway": [], "controller": [], "serve_per_call": []}

    async def round_of(call: Call, callers: int, names: dict[str, str]) -> None:
        await drive(call, Load(_WARM_UP_S, concurrency=callers))
        before = {row: used(pids[process]).cpu_s for row, process in names.items()}
        answered = _answered(await drive(call, Load(seconds, concurrency=callers)))
        for row, process in names.items():
            rows[row].append(1000 * (used(pids[process]).cpu_s - before[row]) / answered)

    async with (
        chats(running.rest, made(), model="router-random-0.5", stream=False, headers={}, timeout_s=60) as chat,
        grpc.aio.insecure_channel(running.product.scorers) as channel,
    ):
        score = _scoring(pb_grpc.ScorerServiceStub(channel), made())
        for _ in range(rounds):
            await round_of(chat, _CALLERS, {"gateway": "gateway", "controller": "controller"})
            await round_of(score, _CALLS_AT_ONCE, {"serve_per_call": "scorers"})
    return {row: statistics.median(values) for row, values in rows.items()}


def _scoring(stub: Any, prompts: Iterator[str]) -> Call:
    async def score() -> tuple[float, str]:
        await stub.Score(pb.ScoreRequest(prompts=[pb.Prompt(text=next(prompts))]), metadata=(("application", "random"),), timeout=10)
        return 0.0, ""

    return score


def _answered(samples: list[Sample]) -> int:
    if wrong := [sample.error for sample in samples if sample.error]:
        raise RuntimeError(f"{len(wrong)} of {len(samples)} calls failed: {wrong[0]}")
    return len(samples)
