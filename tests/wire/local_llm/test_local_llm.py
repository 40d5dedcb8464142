"""The local LLM: a real model behind a real server, asked as any OpenAI-compatible backend is."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from openai import APIStatusError, BadRequestError, OpenAI

import pointsman
from pointsman.runtime.settings import Settings, with_local_llms

ROOT = Path(pointsman.__file__).parent.parent
SECRET = "canary-xylophone-4711"


@dataclass(frozen=True)
class Running:
    """A server's process, where it listens, and the file that its output goes to."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path


def command(*arguments: str) -> list[str]:
    """The command line."""
    return [sys.executable, "-u", "-m", "deploy.local_llm", "--name", "weak", *arguments]


@contextmanager
def running(log: Path) -> Iterator[Running]:
    """A server on a free port."""
    with log.open("wb") as output, subprocess.Popen(command("--port", "0"), cwd=ROOT, stdout=subprocess.PIPE, stderr=output) as process:
        assert process.stdout
        try:
            yield Running(process, process.stdout.readline().decode().split()[-1], log)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One server for the tests that only ask it."""
    with running(tmp_path_factory.mktemp("local_llm") / "log") as started:
        yield started


@pytest.fixture
def client(server: Running) -> Iterator[OpenAI]:
    """OpenAI's own client."""
    with OpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0) as made:
        yield made


def get(url: str) -> int:
    """The HTTP status of a GET."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_it_answers_under_the_name_that_the_settings_ask_for(client: OpenAI) -> None:
    """A Chinese prompt, with the chat template; the model's name is that of the settings' own backend."""
    name = with_local_llms(Settings()).backends["weak"].model
    messages = [{"role": "user", "content": "你好,请介绍一下你自己。"}]
    answer = client.chat.completions.create(model=name, messages=messages, max_tokens=12, seed=1)  # type: ignore[arg-type]
    assert answer.model == name
    assert answer.choices[0].message.content
    assert answer.usage
    assert answer.usage.prompt_tokens > 10, "the template adds its own tokens"
    assert 0 < answer.usage.completion_tokens <= 12
    assert [model.id for model in client.models.list()] == [name]


def test_it_answers_completions_and_responses_and_has_no_embeddings(client: OpenAI) -> None:
    """As docs/api.md says."""
    completion = client.completions.create(model="any", prompt="Once upon a", max_tokens=4)
    assert completion.choices[0].text
    response = client.responses.create(model="any", input="Say hi.", max_output_tokens=8)
    assert response.output_text
    assert response.usage
    assert response.usage.input_tokens > 0
    with pytest.raises(APIStatusError) as caught:
        client.embeddings.create(model="any", input="a")
    assert caught.value.status_code == 501


def test_a_stream_ends_with_its_usage(client: OpenAI) -> None:
    """Many pieces, a finish reason, and, as it was asked for, a last chunk with the tokens."""
    chunks = list(
        client.chat.completions.create(
            model="any",
            messages=[{"role": "user", "content": "Count to ten."}],
            max_tokens=8,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    assert sum(1 for chunk in chunks if chunk.choices and chunk.choices[0].delta.content) > 1
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] in ("length", "stop")
    usage = chunks[-1].usage
    assert usage
    assert usage.completion_tokens == 8


def test_health_is_there_and_other_callers_prompts_are_not(server: Running) -> None:
    """GET /health says ready; the endpoint that shows what each slot is reading is off."""
    assert get(f"{server.url}/health") == 200
    assert get(f"{server.url}/slots") == 501


def test_no_prompt_reaches_the_log(server: Running, client: OpenAI) -> None:
    """Neither an answered one nor one in a request that is refused."""
    client.chat.completions.create(model="any", messages=[{"role": "user", "content": SECRET}], max_tokens=2)
    with pytest.raises(BadRequestError):
        client.chat.completions.create(model="any", messages=[{"role": "user", "content": f"{SECRET} " * 5000}], max_tokens=2)
    request = urllib.request.Request(f"{server.url}/v1/chat/completions", f'{{"messages": [{{"content": "{SECRET}'.encode())
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=30)
    refused.value.close()
    assert refused.value.code == 400
    assert SECRET not in server.log.read_text()


def test_sigterm_ends_it_in_the_middle_of_an_answer(tmp_path: Path) -> None:
    """Exit code 0, without waiting for the generation's end."""
    with running(tmp_path / "log") as started, OpenAI(base_url=f"{started.url}/v1", api_key="any", max_retries=0) as client:
        endless = client.chat.completions.create(
            model="any", messages=[{"role": "user", "content": "Go on."}], stream=True, extra_body={"ignore_eos": True}
        )
        next(iter(endless))
        started.process.send_signal(signal.SIGTERM)
        assert started.process.wait(timeout=60) == 0
        endless.close()


def test_a_port_that_is_taken_is_one_sentence() -> None:
    """Exit code 1, no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        done = subprocess.run(command("--port", str(port)), cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"the local LLM can't serve on 127.0.0.1:{port}: Address already in use\n"


def test_wrong_settings_are_exit_code_2(tmp_path: Path) -> None:
    """The file and the key are named."""
    settings = tmp_path / "settings.yaml"
    settings.write_text("local_llm: {paralel: 3}")
    done = subprocess.run(command("--settings", str(settings)), cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"{settings}:1: local_llm.paralel: unknown key; did you mean 'parallel'?\n"
