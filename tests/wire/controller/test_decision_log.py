"""The decision log behind real requests: every one of them, and nothing of what was said."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import grpc
import pytest

from pointsman.v1 import chat_pb2, route_service_pb2, routing_pb2
from tests.support.backend import ScriptedBackend, answering
from tests.support.canary import CANARY
from tests.support.controllers import RunningController, running_controller
from tests.support.scorers import ScriptedScorers
from tests.wire.controller.asking import Request, Spec, refusal, route


async def _ask_everything(controller: RunningController, weak: ScriptedBackend) -> None:
    """A decision, an answer, a stream, a refusal by the backend in words of the prompt, and requests refused before a decision."""
    chat = chat_pb2.Chat(messages=[chat_pb2.ChatMessage(role="user", content=f"{CANARY}-prompt, echoed")], user=f"{CANARY}-user")
    to_weak = Spec(model="router-mf-1")
    metadata = (("x-pointsman-request-id", "one"), ("authorization", f"Bearer {CANARY}-key"))
    await route(controller, Spec(model="router-mf-0", session=f"{CANARY}-session"), f"{CANARY}-prompt", metadata=metadata)
    answer = await controller.stub.ChatCompletion(route_service_pb2.ChatCompletionRequest(routing=to_weak, chat=chat))
    assert CANARY in answer.choices[0].message.content
    async for _ in controller.stub.StreamChatCompletion(route_service_pb2.StreamChatCompletionRequest(routing=to_weak, chat=chat)):
        pass
    weak.script = answering(400, json.dumps({"error": {"message": f"{CANARY}-prompt is no prompt"}}).encode())
    with pytest.raises(grpc.aio.AioRpcError, match=CANARY):
        await controller.stub.ChatCompletion(route_service_pb2.ChatCompletionRequest(routing=to_weak, chat=chat))
    await refusal(controller, Request(prompt=f"{CANARY}-prompt", routing=Spec(model=f"router-{CANARY}-1")))
    await refusal(controller, Request(prompt=f"{CANARY}-prompt", routing=Spec(model="router-mf-1", pair=f"{CANARY}-pair")))


async def test_every_request_is_a_receipt_and_no_prompt_completion_or_key_is_in_it(
    strong: ScriptedBackend, weak: ScriptedBackend, scorers: ScriptedScorers, tmp_path: Path
) -> None:
    """Canaries in the prompt, the answer, the session, the user, the keys and the names."""
    (tmp_path / "key").write_text(f"{CANARY}-backend-key")
    file = tmp_path / "decisions.jsonl"
    backends = {each.name: each.settings.model_copy(update={"key_file": tmp_path / "key"}) for each in (strong, weak)}
    async with running_controller(backends, scorers.address, own={"decision_log": {"path": file}}) as controller:
        await _ask_everything(controller, weak)
    text = await asyncio.to_thread(file.read_text)
    assert CANARY not in text
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line.get("error") for line in lines] == [None, None, None, "BACKEND_REJECTED", "UNKNOWN_STRATEGY", "UNKNOWN_PAIR"]
    assert lines[0]["request_id"] == "one"
    assert [line.get("endpoint") for line in lines] == [None, *["chat/completions"] * 3, None, None]
    assert lines[1]["decision"]["tier"] == routing_pb2.Tier.Name(routing_pb2.TIER_WEAK)
    assert lines[1]["usage"] == lines[2]["usage"] == {"prompt_tokens": 7, "completion_tokens": 3}
    assert lines[1]["opinions"][0]["checkpoint"] == "scripted@sha256:0"
    assert lines[3]["attempts"][0]["http_status"] == 400


async def test_a_full_disk_fails_no_request(strong: ScriptedBackend, weak: ScriptedBackend, scorers: ScriptedScorers) -> None:
    """Each is answered, and each line that was lost is counted."""
    backends = {"strong": strong.settings, "weak": weak.settings}
    async with running_controller(backends, scorers.address, own={"decision_log": {"path": "/dev/full"}}) as controller:
        await asyncio.gather(*(route(controller, Spec(model="router-mf-0")) for _ in range(50)))
        while controller.registry.get_sample_value("pointsman_decision_log_dropped_total", {"why": "disk"}) != 50:
            await asyncio.sleep(0.01)
