"""`pointsman loadtest` against a gateway, a controller, a scorer and a backend."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.service import Gateway, serving
from tests.support.backend import echoing, scripted_backend
from tests.support.controllers import running_controller
from tests.support.scorers import scripted_scorers
from tests.wire.cli.test_commands import pointsman_command
from tests.wire.gateway.conftest import settings_for

_QUICKLY = ("--seconds", "0.4", "--warmup", "0.1", "--concurrency", "3")


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    """One whose answers are whole or streamed, as asked."""
    async with (
        scripted_backend("weak", echoing) as weak,
        scripted_scorers({"random": lambda _: 0.7}) as scorers,
        running_controller({"strong": weak.settings, "weak": weak.settings}, scorers.address, strategies={"random": {}}) as controller,
        serving(settings_for(int(controller.address.rpartition(":")[2]))) as gateway,
    ):
        yield gateway


@pytest.mark.parametrize("kind", ["json", "sse", "route", "chat", "stream"])
async def test_every_kind_of_call_is_made_and_counted(gateway: Gateway, kind: str) -> None:
    over_rest = f"http://127.0.0.1:{gateway.rest_port}/v1"
    address = over_rest if kind in ("json", "sse") else f"127.0.0.1:{gateway.grpc_port}"
    watched = ("--pid", f"me={os.getpid()}")
    done = await pointsman_command("loadtest", kind, *_QUICKLY, "--address", address, *watched, "--json")
    assert (done.code, done.err) == (0, "")
    found = json.loads(done.out)
    assert (found["kind"], found["errors"]) == (kind, {})
    assert found["calls"] > 0  # a busy machine has few
    assert found["latency_ms"]["p50"] >= found["first_byte_ms"]["p50"] > 0
    assert found["cpu_ms_per_call"]["me"] > 0


async def test_arrivals_and_prompts_of_a_file(gateway: Gateway, tmp_path: Path) -> None:
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("one\n\ntwo\n")
    target = ("--address", f"http://127.0.0.1:{gateway.rest_port}/v1", "--prompts", str(prompts))
    done = await pointsman_command("loadtest", "json", "--rate", "50", "--seconds", "0.5", "--warmup", "0", *target)
    assert (done.code, done.err) == (0, "")
    assert "answered per second" in done.out
    assert "begun late" in done.out


async def test_what_fails_is_counted_by_what_it_is(gateway: Gateway) -> None:
    target = ("--address", f"http://127.0.0.1:{gateway.rest_port}/v1", "--model", "router-nonsense-0.5")
    done = await pointsman_command("loadtest", "json", *_QUICKLY, *target)
    assert done.code == 1
    assert "× HTTP 400" in done.out
    assert "No call succeeded" in done.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("json", "--pid", "me"), "NAME=PID"),
        (("json", "--pid", "me=4194304", "--seconds", "0.1", "--warmup", "0"), "no process 4194304"),
        (("json", "--prompts", "/dev/null"), "has no prompt"),
        (("json", "--prompts", "/nowhere"), "No such file"),
        (("nonsense",), "nonsense"),
    ],
)
async def test_wrong_arguments_are_named(arguments: tuple[str, ...], told: str) -> None:
    done = await pointsman_command("loadtest", *arguments)
    assert done.code == 2
    assert told in done.err


async def test_nobody_there_is_said_so() -> None:
    done = await pointsman_command("loadtest", "json", *_QUICKLY, "--address", "http://127.0.0.1:9/v1")
    assert done.code == 1
    assert "ClientConnectorError" in done.err
