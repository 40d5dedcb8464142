"""What docs/api.md and docs/clients.md have for a terminal: curl, and buf curl, which speaks gRPC by reflection as grpcurl does."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from tests.support.backend import hanging
from tests.support.product import ROOT
from tests.wire.pass_through import openai_answers as says
from tests.wire.pass_through.conftest import Edge


async def _printed(program: str, edge: Edge, guide: str = "api.md") -> str:
    """What the guide's command prints at this address."""
    guide = (ROOT / "docs" / guide).read_text().replace("http://localhost:6060", edge.url).replace("localhost:50051", edge.grpc)
    [command] = re.findall(rf"```sh\n({program} .*?)```", guide, re.DOTALL)
    environment = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": os.environ["HOME"]}
    process = await asyncio.create_subprocess_shell(command, stdout=PIPE, stderr=PIPE, env=environment)
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


@pytest.mark.skipif(not shutil.which("curl"), reason="curl isn't here")
async def test_curl_shows_the_decision_in_headers(edge: Edge) -> None:
    edge.strong.script = says.chat({"content": "Paris."})
    head, _, body = (await _printed("curl -si", edge)).partition("\r\n\r\n")
    assert "x-pointsman-tier: strong" in head
    assert json.loads(body)["choices"][0]["message"]["content"] == "Paris."


@pytest.mark.skipif(not shutil.which("curl"), reason="curl isn't here")
async def test_curl_hears_of_a_deadline_that_passed(edge: Edge) -> None:
    edge.strong.script = hanging
    body, _, status = (await _printed(r"curl -s http\S+", edge, "clients.md")).strip().rpartition("\n")
    assert (status, json.loads(body)["error"]["code"]) == ("504", "deadline_exceeded")


async def test_buf_curl_asks_by_reflection(edge: Edge) -> None:
    answer = json.loads(await _printed("buf curl", edge))
    assert answer["decision"]["tier"] == "TIER_STRONG"
    assert answer["decision"]["strongWinRate"] == pytest.approx(0.4)
