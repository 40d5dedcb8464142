"""RouteService from Node, by the published .proto files."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import PIPE
from typing import Final

import pytest

from tests.support.product import ROOT
from tests.wire.pass_through import openai_answers as says
from tests.wire.pass_through.conftest import Edge
from tests.wire.pass_through.test_other_clients import PYTHON

_FOLDER: Final = ROOT / "tests/clients/node"
_NODE: Final = PYTHON.with_name("node")
pytestmark = pytest.mark.skipif(
    not (_NODE.exists() and (_FOLDER / "node_modules").exists()), reason="make test installs node; by hand: make .venv/clients/installed"
)


async def test_nodes_grpc_decides_streams_and_hears_why_not(edge: Edge) -> None:
    """The worked example, as it stands."""
    edge.weak.script = says.chat_stream({"role": "assistant"}, {"content": "Because "}, {"content": "of light."})
    command = [str(_FOLDER / "route.mjs"), edge.grpc, "router-mf-0.5", "Why is the sky blue?"]
    process = await asyncio.create_subprocess_exec(_NODE, *command, stdout=PIPE, stderr=PIPE)
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    decided, streamed, refused = out.decode().splitlines()
    assert decided.split() == ["TIER_WEAK", edge.weak.settings.model, "0.40"]
    assert streamed.startswith("Because of light. TIER_WEAK ")
    assert refused.startswith("INVALID_ARGUMENT model 'router-mf': ")
