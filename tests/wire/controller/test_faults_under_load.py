"""Fifty callers at once and a backend that fails in every way: each gets its own answer once, whole, or a typed error."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter

import grpc

from pointsman.runtime.error_forms import error_info, status_of
from tests.support.backend import Received, ScriptedBackend, answering, cutting, echoing, hanging, hanging_up, resetting
from tests.support.controllers import RunningController, running_controller
from tests.support.scorers import ScriptedScorers
from tests.wire.controller.relaying import body, relayed

_TYPED = {"FALLBACK_CAPPED", "BACKEND_FAILED", "BACKEND_UNREACHABLE", "BACKEND_RATE_LIMITED", "BACKEND_TIMEOUT", "BACKEND_CUT"}


async def _ask(controller: RunningController, number: int, *, stream: bool) -> str:
    """`ok` for the caller's own answer, else the error's reason."""
    content = body(messages=[{"role": "user", "content": f"number {number}"}], stream=stream)
    try:
        answer = await relayed(controller, content, timeout=20)
    except grpc.aio.AioRpcError as error:
        return error_info(status_of(error)).reason
    lines = [line[6:] for line in answer.content.split(b"\n\n") if line.startswith(b"data: {")] if stream else [answer.content]
    choices = [choice for line in lines for choice in json.loads(line)["choices"]]
    text = "".join(choice.get("delta", choice.get("message", {})).get("content", "") for choice in choices)
    assert text.strip() == f"number {number}"
    assert answer.receipt.attempts[-1].backend == answer.receipt.decision.backend
    assert answer.receipt.error == ""
    return "ok"


async def test_each_gets_its_own_answer_or_a_typed_error(scorers: ScriptedScorers, strong: ScriptedBackend, weak: ScriptedBackend) -> None:
    """A third of the calls fail; with a retry and the other tier next to none of the requests do, and weak serves on."""
    draw = random.Random(5)
    faults = [answering(500, b"no"), answering(503, b"no"), answering(429, b"{}"), hanging_up, resetting, hanging, cutting]

    async def script(received: Received, writer: asyncio.StreamWriter) -> None:
        await (draw.choice(faults) if draw.random() < 0.33 else echoing)(received, writer)

    weak.script = script
    settings = weak.settings.model_copy(update={"backoff_s": 0.01, "first_byte_timeout_s": 0.5})
    outcomes: Counter[str] = Counter()
    own = {"fallback_to_strong_cap": 1}
    async with running_controller({"strong": strong.settings, "weak": settings}, scorers.address, own=own) as controller:

        async def caller(first: int) -> None:
            for number in range(first, first + 10):
                outcomes[await _ask(controller, number, stream=number % 2 == 0)] += 1

        await asyncio.gather(*(caller(1000 * each) for each in range(50)))
        assert controller.registry.get_sample_value("pointsman_requests_in_progress") == 0
        weak.script = echoing
        assert await _ask(controller, 1, stream=False) == "ok"
    assert sum(outcomes.values()) == 500
    assert outcomes.keys() <= _TYPED | {"ok"}
    assert outcomes["ok"] > 400
    print(dict(outcomes))  # noqa: T201 (shown with -s: what it cost)
