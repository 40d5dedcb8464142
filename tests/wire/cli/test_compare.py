"""`pointsman compare`, as a shell runs it, against a scripted RouteService."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pointsman.runtime.errors import InvalidRequest, Overloaded, RateLimited
from pointsman.v1 import calibration_pb2, routing_pb2
from pointsman.v1 import route_service_pb2 as pb
from tests.wire.cli.test_commands import pointsman_command
from tests.wire.client.scripted import ScriptedRouteService, serve

CHECKPOINT = "mf-minilm@sha256:0123456789ab"
THRESHOLDS = [calibration_pb2.CalibratedThreshold(strong_share=share, threshold=at) for share, at in ((0.1, 0.9), (0.3, 0.6), (0.5, 0.4))]


@pytest.fixture
def service() -> ScriptedRouteService:
    """mf is calibrated and says 0.625; bert can't be asked."""
    opinions = [
        routing_pb2.Opinion(strategy="mf", strong_win_rate=0.625, checkpoint=CHECKPOINT, cached=True),
        routing_pb2.Opinion(strategy="bert", failure=routing_pb2.REASON_SCORER_TIMEOUT),
    ]
    calibration = calibration_pb2.Calibration(strategy="mf", checkpoint=CHECKPOINT, thresholds=THRESHOLDS)
    return ScriptedRouteService(opinions=opinions, calibrations=[calibration])


@pytest.fixture
async def address(service: ScriptedRouteService) -> AsyncIterator[str]:
    """Where it listens."""
    async with serve(service) as listening:
        yield listening


def asked(service: ScriptedRouteService) -> list[str]:
    """The prompts of the comparisons that came."""
    return [each.prompt for each in service.requests if isinstance(each, pb.CompareStrategiesRequest)]


async def until_asked(service: ScriptedRouteService) -> None:
    """A comparison has come."""
    async with asyncio.timeout(60):
        while not asked(service):
            await asyncio.sleep(0.01)


async def test_each_strategy_has_its_row(service: ScriptedRouteService, address: str) -> None:
    """Win rate, threshold, tier, the least share at which it goes to strong; or why there is none."""
    done = await pointsman_command("compare", "2+2", "--strategy", "mf", "--strategy", "bert", "--address", address)
    assert (done.code, done.err) == (0, "")
    heading, mf, bert = done.out.splitlines()
    assert heading.split() == ["strategy", "strong", "win", "rate", "threshold", "tier", "strong", "from", "checkpoint"]
    assert mf.split() == ["mf", "0.6250", "0.5", "strong", "30", "%", CHECKPOINT, "cached"]
    assert bert.split() == ["bert", "scorer_timeout", "0.5"]
    request = service.requests[-1]
    assert isinstance(request, pb.CompareStrategiesRequest)
    assert (request.prompt, list(request.strategies)) == ("2+2", ["mf", "bert"])


async def test_a_share_takes_each_strategys_own_threshold(address: str) -> None:
    """Of the record of the checkpoint that answered."""
    done = await pointsman_command("compare", "-", "--strong-share", "0.1", "--json", "--address", address, stdin="2+2")
    assert (done.code, done.err) == (0, "")
    [mf, bert] = json.loads(done.out)["opinions"]
    assert (mf["strong_win_rate"], mf["threshold"], mf["tier"], mf["strong_from_share"]) == (0.625, 0.9, "weak", 0.3)
    assert (bert["strong_win_rate"], bert["threshold"], bert["tier"], bert["failure"]) == (None, None, None, "scorer_timeout")


async def test_a_file_has_a_row_for_each_prompt(service: ScriptedRouteService, address: str, tmp_path: Path) -> None:
    """CSV, JSON Lines, lines, standard input; in the file's order."""
    for name, text in (
        ("a.csv", 'id,prompt\n1,"two\nlines"\n2,b\n'),
        ("a.jsonl", '{"prompt": "two\\nlines"}\n\n{"prompt": "b"}\n'),
        ("-", '{"prompt": "two\\nlines"}\n{"prompt": "b"}\n'),
    ):
        (tmp_path / name).write_text(text)
        done = await pointsman_command("compare", "--file", name, "--address", address, "--json", cwd=tmp_path, stdin=text)
        assert (done.code, done.err) == (0, "")
        assert [json.loads(line)["prompt"] for line in done.out.splitlines()] == ["two\nlines", "b"]
    (tmp_path / "a.txt").write_text("a\n\n" + "long " * 50 + "\n")
    done = await pointsman_command("compare", "--file", "a.txt", "--address", address, cwd=tmp_path)
    heading, first, second, counted = done.out.splitlines()
    assert (heading.split(), first.split()) == (["prompt", "mf", "bert"], ["a", "0.6250", "strong", "scorer_timeout"])
    assert "long lon…" in second
    assert counted == "to strong at threshold 0.5: mf 2 of 2, bert 0 of 2"


async def test_a_prompt_that_fails_fails_alone(service: ScriptedRouteService, address: str, tmp_path: Path) -> None:
    """It is told in its row, and by the exit code."""
    (tmp_path / "a.txt").write_text("a\nb\n")
    service.prompt_failures = {"a": InvalidRequest("no such thing", param="prompt")}
    done = await pointsman_command("compare", "--file", "a.txt", "--json", "--address", address, cwd=tmp_path)
    first, second = (json.loads(line) for line in done.out.splitlines())
    assert (first, len(second["opinions"])) == ({"prompt": "a", "error": "no such thing", "reason": "INVALID_REQUEST"}, 2)
    assert (done.code, done.err) == (1, "1 of 2 prompts failed, the first: no such thing (INVALID_REQUEST)\n")
    done = await pointsman_command("compare", "--file", "a.txt", "--address", address, cwd=tmp_path)
    assert (done.code, done.out.splitlines()[1].split()) == (1, ["a", "INVALID_REQUEST"])
    done = await pointsman_command("compare", "a", "--address", address)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("no such thing\nreason: INVALID_REQUEST\n")


async def test_a_file_comes_back_to_a_service_that_refuses_for_now(service: ScriptedRouteService, address: str, tmp_path: Path) -> None:
    """What is asked first, and each prompt; nothing of it is told."""
    (tmp_path / "a.txt").write_text("a\nb\n")
    service.failures = [RateLimited("too many", retry_after_s=0.05)]
    service.prompt_failures = {"a": Overloaded("full", retry_after_s=0.05)}
    command = asyncio.create_task(pointsman_command("compare", "--file", "a.txt", "--json", "--address", address, cwd=tmp_path))
    await until_asked(service)
    service.prompt_failures = {}
    done = await command
    assert (done.code, done.err) == (0, "")
    assert [(row["prompt"], len(row["opinions"])) for row in map(json.loads, done.out.splitlines())] == [("a", 2), ("b", 2)]
    assert asked(service).count("a") > 1
    assert asked(service).count("b") == 1


async def test_a_limit_that_is_not_sat_out_is_told(service: ScriptedRouteService, address: str, tmp_path: Path) -> None:
    """As is any refusal of a single prompt, whose asker can see it."""
    (tmp_path / "a.txt").write_text("a\nb\n")
    service.prompt_failures = {"a": RateLimited("enough for today", retry_after_s=3600)}
    done = await pointsman_command("compare", "--file", "a.txt", "--json", "--address", address, cwd=tmp_path)
    assert json.loads(done.out.splitlines()[0]) == {"prompt": "a", "error": "enough for today", "reason": "RATE_LIMITED"}
    assert (done.code, done.err) == (1, "1 of 2 prompts failed, the first: enough for today (RATE_LIMITED)\n")
    assert sorted(asked(service)) == ["a", "b"]
    service.requests.clear()
    service.prompt_failures = {"a": Overloaded("full", retry_after_s=0.05)}
    done = await pointsman_command("compare", "a", "--address", address)
    assert (done.code, done.out, asked(service)) == (1, "", ["a"])
    assert done.err.startswith("full\nreason: OVERLOADED\n")


async def test_ctrl_c_ends_the_wait(service: ScriptedRouteService, address: str, tmp_path: Path) -> None:
    """At once, though the service says to come back in a minute; and nobody asks again."""
    (tmp_path / "a.txt").write_text("a\n" * 20)
    service.prompt_failures = {"a": Overloaded("full", retry_after_s=60)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pointsman.cli", "compare", "--file", str(tmp_path / "a.txt"), "--address", address),
        stdout=PIPE,
        stderr=PIPE,
        start_new_session=True,
    )
    await until_asked(service)
    os.killpg(process.pid, signal.SIGINT)
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    assert (process.returncode, out) == (130, b"")
    assert b"Traceback" not in err
    assert len(asked(service)) <= 8


async def test_nobody_at_the_address_ends_it_at_once(tmp_path: Path) -> None:
    """With no row."""
    (tmp_path / "a.txt").write_text("a\nb\n")
    for arguments in (["x"], ["--file", "a.txt"]):
        done = await pointsman_command("compare", *arguments, "--address", "127.0.0.1:1", cwd=tmp_path)
        assert (done.code, done.out) == (3, "")


async def test_what_cannot_be_compared_is_a_wrong_argument(tmp_path: Path) -> None:
    """Before anybody is asked; with the file's line."""
    (tmp_path / "a.csv").write_text("text\nx\n")
    (tmp_path / "a.jsonl").write_text('{"prompt": "x"}\n{"prompt": 3}\n')
    (tmp_path / "a.txt").write_text("\n")
    for arguments, said in (
        ([], "give a prompt or --file"),
        (["x", "--file", "a.csv"], "give a prompt or --file"),
        (["x", "--threshold", "0.5", "--strong-share", "0.5"], "exclude each other"),
        (["--file", "a.csv"], "a.csv:1: there is no column 'prompt'; there are: text"),
        (["--file", "a.jsonl"], "a.jsonl:2: not an object with a text 'prompt'"),
        (["--file", "a.txt"], "there is no prompt in it"),
        (["--file", "none.txt"], "can't be read"),
    ):
        done = await pointsman_command("compare", *arguments, cwd=tmp_path)
        assert (done.code, done.out) == (2, "")
        assert said in " ".join(done.err.replace("│", " ").split())
