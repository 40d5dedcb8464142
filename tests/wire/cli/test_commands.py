"""The command, as a shell runs it, against a scripted RouteService on a free port."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE
from dataclasses import dataclass
from pathlib import Path

import pytest

import pointsman
from pointsman.runtime.errors import InvalidModelString
from pointsman.v1 import route_service_pb2 as pb
from tests.unit.scorers.preference_files import MY_PAIR, as_jsonl, preferences
from tests.wire.client.scripted import REQUEST_ID, ScriptedRouteService


@dataclass(frozen=True)
class Done:
    """A finished command."""

    code: int
    out: str
    err: str


async def pointsman_command(*arguments: str, stdin: str = "", cwd: Path | None = None) -> Done:
    """Runs `pointsman …` to its end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pointsman.cli", *arguments, cwd=cwd, stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    async with asyncio.timeout(120):
        out, err = await process.communicate(stdin.encode())
    return Done(process.returncode or 0, out.decode(), err.decode())


async def test_route_shows_the_decision(service: ScriptedRouteService, address: str) -> None:
    """Tier, model, win rate and request id; the model string is router-mf-0.5 where none is named."""
    done = await pointsman_command("route", "2+2", "--address", address)
    assert (done.code, done.err) == (0, "")
    for shown in ("strong", "big", "0.6250 ≥ threshold 0.5", REQUEST_ID):
        assert shown in done.out
    [request] = service.requests
    assert isinstance(request, pb.RouteRequest)
    assert (request.prompt, request.routing.model) == ("2+2", "router-mf-0.5")


async def test_json_is_one_object_and_nothing_else(address: str) -> None:
    """For each command that answers."""
    for command in (["route", "x"], ["chat", "x"], ["strategies"]):
        done = await pointsman_command(*command, "--json", "--address", address)
        assert (done.code, done.err) == (0, "")
        assert isinstance(json.loads(done.out), dict)
    assert json.loads(done.out)["strategies"][1]["detail"] == "no replica answers"


async def test_chat_streams_the_text_and_then_the_receipt(service: ScriptedRouteService, address: str) -> None:
    """The prompt may come from standard input."""
    done = await pointsman_command(
        "chat", "-", "--model", "router-random-0", "--max-tokens", "7", "--address", address, stdin="法国的首都?"
    )
    assert done.code == 0
    assert done.out.startswith("Paris\n")
    assert "strong" in done.out
    assert "3 read, 2 written" in done.out
    [request] = service.requests
    assert isinstance(request, pb.StreamChatCompletionRequest)
    assert (request.routing.model, request.chat.max_tokens, request.chat.messages[0].content) == ("router-random-0", 7, "法国的首都?")


async def test_strategies_are_listed_with_their_state(address: str) -> None:
    """Ready or why not, with pairs and policies."""
    done = await pointsman_command("strategies", "--address", address)
    assert (done.code, done.err) == (0, "")
    for shown in ("mf-minilm@sha256:0123456789ab", "ready", "no replica answers", "big", "small", "support-bot"):
        assert shown in done.out


async def test_a_refusal_is_told_without_a_traceback(service: ScriptedRouteService, address: str) -> None:
    """Message, reason and request id on standard error; exit code 1; nothing on standard output, with --json too."""
    for arguments in (["route", "x"], ["route", "x", "--json"]):
        service.failures = [InvalidModelString("model 'gpt-4': not a router", param="model")]
        done = await pointsman_command(*arguments, "--model", "gpt-4", "--address", address)
        assert done == Done(1, "", f"model 'gpt-4': not a router\nreason: INVALID_MODEL_STRING\nrequest id: {REQUEST_ID}\n")


async def test_a_cut_answer_is_a_failure_after_its_text(service: ScriptedRouteService, address: str) -> None:
    """What came is shown, and the exit code says that it isn't all."""
    service.cut = True
    done = await pointsman_command("chat", "x", "--address", address)
    assert (done.code, done.out) == (1, "Paris\n")
    assert "reason: BACKEND_CUT" in done.err


async def test_nobody_at_the_address_is_exit_code_3() -> None:
    """Told apart from a service that refuses."""
    done = await pointsman_command("route", "x", "--address", "127.0.0.1:1")
    assert (done.code, done.out) == (3, "")
    assert "Pointsman at 127.0.0.1:1 can't be reached" in done.err
    assert "Traceback" not in done.err


async def test_wrong_arguments_are_exit_code_2() -> None:
    """An unknown command, a missing argument, a timeout of zero."""
    for arguments in (["rout"], ["route"], ["chat"], ["chat", "--json"], ["route", "x", "--timeout", "0"], ["train", "mf"]):
        done = await pointsman_command(*arguments)
        assert (done.code, done.out) == (2, "")
        assert "Traceback" not in done.err


async def test_the_version_is_the_packages() -> None:
    """One line."""
    assert await pointsman_command("--version") == Done(0, f"pointsman {pointsman.__version__}\n", "")


async def test_training_without_its_data_says_so(tmp_path: Path) -> None:
    """Before torch is imported."""
    done = await pointsman_command("train", "mf", "--data", str(tmp_path / "none"), "--out", str(tmp_path / "out"))
    assert (done.code, done.out) == (2, "")
    assert "doesn't exist" in done.err


@pytest.mark.parametrize("strategy", ["mf", "sw_ranking", "bert", "causal_llm"])
async def test_every_training_takes_what_the_command_passes(tmp_path: Path, strategy: str) -> None:
    """An empty folder of data is refused in a sentence, and not for an argument."""
    done = await pointsman_command("train", strategy, "--data", str(tmp_path), "--out", str(tmp_path / "out"), "--seed", "1")
    assert (done.code, done.out) == (2, "")
    assert "neither RouteLLM's routellm/evals nor a checkout of it" in done.err.replace("\n", " ")
    assert not (tmp_path / "out").exists()


async def test_a_file_of_preferences_becomes_a_checkpoint(tmp_path: Path) -> None:
    """With the strategy's own options passed on and paths as the caller means them; nothing is left but the checkpoint."""
    as_jsonl(tmp_path / "mine.jsonl", preferences())
    pair = ("--strong", MY_PAIR.strong, "--weak", MY_PAIR.weak)
    for strategy in ("mf", "sw_ranking"):
        more = (*pair, "--embedder", "hashing-384", "--json")
        done = await pointsman_command("train", strategy, "--data", "mine.jsonl", "--out", strategy, *more, cwd=tmp_path)
        assert done.code == 0, done.err
        assert json.loads(done.out)["checkpoint"].startswith(f"{strategy}-hashing-384@sha256:")
    assert sorted(await asyncio.to_thread(os.listdir, tmp_path)) == ["mf", "mine.jsonl", "sw_ranking"]


async def test_only_what_can_be_trained_is(tmp_path: Path) -> None:
    """random can't, and a name can't lead out of the folder of strategies."""
    for strategy in ("random", "nope", "../mf"):
        done = await pointsman_command("train", strategy, "--data", str(tmp_path), "--out", str(tmp_path / "out"))
        assert (done.code, done.out) == (2, "")
        assert "nothing to train" in done.err


async def test_evaluating_prints_json_lines_and_nothing_else(tmp_path: Path) -> None:
    """Relative paths are the caller's own."""
    (tmp_path / "some.csv").write_text("prompt,weak,strong\n" + "".join(f"prompt {n},{n % 2},1\n" for n in range(50)))
    arguments = ("--data", "some.csv", "--strategies", "random", "--json", "--draws", "10")
    done = await pointsman_command("evaluate", *arguments, cwd=tmp_path)
    assert done.code == 0
    assert [json.loads(line)["strategy"] for line in done.out.splitlines()] == ["random"]


async def test_up_names_a_port_that_is_taken_and_the_setting_to_change(tmp_path: Path) -> None:
    """Before anything starts; exit code 1."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        (tmp_path / "settings.yaml").write_text(f"gateway: {{rest_port: {port}}}\n")
        done = await pointsman_command("up", "--settings", "settings.yaml", cwd=tmp_path)
    assert (done.code, done.out) == (1, "")
    assert f"127.0.0.1:{port} can't be bound" in done.err
    assert "change gateway.rest_port" in done.err


async def test_up_refuses_settings_that_cannot_work(tmp_path: Path) -> None:
    """A wrong key and a contradiction are exit code 2, each named."""
    for text, said in (("gatway: {}", "did you mean 'gateway'?"), ("scorers: {grpc_port: 9001}", "controller.scorers")):
        (tmp_path / "settings.yaml").write_text(text)
        done = await pointsman_command("up", "--settings", "settings.yaml", cwd=tmp_path)
        assert (done.code, done.out) == (2, "")
        assert said in done.err
        assert "Traceback" not in done.err


async def test_ctrl_c_ends_an_evaluation_with_its_own_words(tmp_path: Path) -> None:
    """The signal goes to the command and to the process that evaluates, which has time to clear up."""
    (tmp_path / "some.csv").write_text("prompt,weak,strong\nx,0,1\ny,1,1\n")
    arguments = [
        "--data",
        str(tmp_path / "some.csv"),
        "--strategies",
        "random",
        "--draws",
        "100000000",
        "--scores",
        str(tmp_path / "scores"),
    ]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pointsman.cli", "evaluate", *arguments, stdout=PIPE, stderr=PIPE, start_new_session=True
    )
    assert process.stderr
    async with asyncio.timeout(120):
        while b"scoring some" not in await process.stderr.readline():
            assert process.returncode is None
        os.killpg(process.pid, signal.SIGINT)
        out, err = await process.communicate()
    assert (process.returncode, out) == (1, b"")
    assert b"Interrupted." in err
    assert b"Traceback" not in err
    assert os.listdir(tmp_path) == ["some.csv"]
