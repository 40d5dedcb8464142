"""Other people's clients, unmodified, from an environment of their own: tests/clients has them as worked examples."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.backend import Received, Script
from tests.support.product import ROOT
from tests.wire.pass_through import openai_answers as says
from tests.wire.pass_through.conftest import Edge

PYTHON: Final = Path(sys.prefix) / "clients" / "bin" / "python"
CALLS: Final = [["weather", {"city": "A"}, "call_A"], ["weather", {"city": "B"}, "call_B"]]
UNDERSTOOD: Final = {"streamed": ["Paris", []], "calls": CALLS, "after the tools": "Paris", "streamed calls": CALLS}
PERSON: Final = ["Person", "Alice", 30]
pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason="make test installs these clients; by hand: make .venv/clients/installed")
EXAMPLES_PRINT: Final = {
    "langchain": ["Paris", "[('weather', {'city': 'A'}), ('weather', {'city': 'B'})]", "name='Alice' age=30"],
    "litellm": ["Paris"],
    "openai": [],
}
ANSWERS_ARE: Final = {"langchain": "AIMessage", "litellm": "ModelResponse", "openai": "ChatCompletion"}


async def acts(received: Received, writer: asyncio.StreamWriter) -> None:
    """A model that calls its tools before it answers, and keeps to a schema."""
    asked = received.json
    if "response_format" in asked:
        pieces = ['{"name":"Al', 'ice","age":30}']
    elif "tools" in asked and asked["messages"][-1]["role"] == "user":
        await _calls_tools(asked)(received, writer)
        return
    else:
        pieces = ["Pa", "ris"]
    whole = says.chat({"content": "".join(pieces)})
    answer = says.chat_stream({"role": "assistant"}, *({"content": piece} for piece in pieces)) if asked.get("stream") else whole
    await answer(received, writer)


def _calls_tools(asked: dict[str, Any]) -> Script:
    if not asked.get("stream"):
        return says.chat({"tool_calls": says.CALLS}, "tool_calls")
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": None}]
    for index, call in enumerate(says.CALLS):
        function: Any = call["function"]
        start = {"index": index, "id": call["id"], "type": "function", "function": {"name": function["name"], "arguments": ""}}
        arguments = function["arguments"]
        pieces = [{"index": index, "function": {"arguments": piece}} for piece in (arguments[:4], arguments[4:])]
        deltas += [{"tool_calls": [each]} for each in (start, *pieces)]
    return says.chat_stream(*deltas, finish_reason="tool_calls")


def guides_example(name: str, url: str) -> tuple[str, list[str]]:
    """The client's example in docs/api.md at this address, and the lines that it prints."""
    guide = (ROOT / "docs" / "api.md").read_text().replace("http://localhost:6060", url)
    blocks = [
        block for block in re.findall(r"```python\n(.*?)```", guide, re.DOTALL) if re.search(f"^(import|from) {name}", block, re.MULTILINE)
    ]
    assert len(blocks) == len(EXAMPLES_PRINT[name][:1])
    return "".join(blocks), EXAMPLES_PRINT[name]


async def running(*arguments: str) -> bytes:
    """What Python prints in the clients' environment, in a process that reaches nothing but this machine."""
    nowhere = {f"{scheme}_PROXY": "http://127.0.0.1:9" for scheme in ("HTTP", "HTTPS", "ALL")}
    environment = {"PATH": os.environ["PATH"], "NO_PROXY": "127.0.0.1", "LANGSMITH_TRACING": "false", **nowhere}
    process = await asyncio.create_subprocess_exec(PYTHON, *arguments, stdout=PIPE, stderr=PIPE, env=environment)
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out


@pytest.mark.parametrize("name", ["openai", "langchain", "litellm"])
async def test_a_client_does_through_pointsman_what_it_does_without(edge: Edge, name: str) -> None:
    """The backend gets the same bytes, and the client makes the same of its answers, as if it had called the backend itself.

    The guide's example runs first, in the same process since these clients take seconds to import.
    """
    edge.weak.script = edge.strong.script = acts
    example, prints = guides_example(name, edge.url)
    script = f"{example}\nimport runpy; runpy.run_path({str(ROOT / 'tests' / 'clients' / f'with_{name}.py')!r})"
    printed = await running("-c", script, f"{edge.url}/v1", "router-mf-1", edge.weak.url, "weak-model")
    *printed_by_example, through, directly = printed.decode().splitlines()
    assert printed_by_example == prints
    assert len(edge.strong.received) == len(prints)
    bodies = [received.body for received in edge.weak.received]
    half = len(bodies) // 2
    assert half >= 10
    assert bodies[:half] == bodies[half:]
    structured = {"litellm": {}, "langchain": {"structured": PERSON}, "openai": {"structured": PERSON, "streamed structured": PERSON}}[name]
    assert json.loads(through) == json.loads(directly) == [{"whole": [ANSWERS_ARE[name], "Paris", 10], **UNDERSTOOD, **structured}] * 2
    _asked_as_the_client_meant([json.loads(body) for body in bodies[:half]], bool(structured))


def _asked_as_the_client_meant(bodies: list[Any], structured: bool) -> None:
    """Each sort of request was among them: what is compared above wasn't compared with nothing."""
    assert any(body.get("seed") == 2**53 + 1 for body in bodies)
    assert any(body.get("stream_options") == {"include_usage": True} for body in bodies)
    assert any(body.get("tool_choice") == "required" and body.get("parallel_tool_calls") is True for body in bodies)
    tools = [body["tools"][0]["function"] for body in bodies if "tools" in body]
    assert {(tool["name"], tool["description"]) for tool in tools} == {("weather", "The weather in a city.")}
    assert any([message["role"] for message in body["messages"]] == ["user", "assistant", "tool", "tool"] for body in bodies)
    schemas = [body["response_format"]["json_schema"] for body in bodies if "response_format" in body]
    assert all((schema["name"], schema["strict"]) == ("Person", True) for schema in schemas)
    assert bool(schemas) is structured
