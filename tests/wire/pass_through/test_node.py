"""RouteService from Node, by the published .proto files."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import PIPE
from typing import Final

import pytest

from pointsman.runtime.errors import InvalidModelString, Overloaded, Unavailable
from tests.support.product import ROOT
from tests.wire.client.scripted import ScriptedRouteService, serve
from tests.wire.pass_through import openai_answers as says
from tests.wire.pass_through.conftest import Edge
from tests.wire.pass_through.test_other_clients import PYTHON

_FOLDER: Final = ROOT / "tests/clients/node"
_NODE: Final = PYTHON.with_name("node")
pytestmark = pytest.mark.skipif(
    not (_NODE.exists() and (_FOLDER / "node_modules").exists()), reason="make test installs node; by hand: make .venv/clients/installed"
)


async def _printed(program: str, address: str) -> list[str]:
    """The example's lines, as it stands."""
    command = [str(_FOLDER / program), address, "router-mf-0.5", "Why is the sky blue?"]
    process = await asyncio.create_subprocess_exec(_NODE, *command, stdout=PIPE, stderr=PIPE)
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode().splitlines()


async def test_nodes_grpc_decides_streams_and_hears_why_not(edge: Edge) -> None:
    """The worked example, as it stands."""
    edge.weak.script = says.chat_stream({"role": "assistant"}, {"content": "Because "}, {"content": "of light."})
    decided, streamed, refused = await _printed("route.mjs", edge.grpc)
    assert decided.split() == ["TIER_WEAK", edge.weak.settings.model, "0.40"]
    assert streamed.startswith("Because of light. TIER_WEAK ")
    assert refused.startswith("INVALID_ARGUMENT model 'router-mf': ")


async def test_node_hears_why_asks_again_waits_keeps_its_deadline_and_leaves_early() -> None:
    """Its channel asks for a decision again, which costs nothing; it waits an overload out; a stream that it leaves ends at the service."""
    service = ScriptedRouteService(takes_s=1, text=("Because ",) * 1000)
    service.failures = [
        InvalidModelString("model 'router-mf': the threshold is missing", param="model"),
        Unavailable("starting"),
        Overloaded("full", retry_after_s=0.1),
    ]
    async with serve(service) as address:
        refused, decided, late, left = await _printed("failures.mjs", address)
    assert refused == "INVALID_ARGUMENT INVALID_MODEL_STRING model"
    assert decided == "TIER_STRONG big"
    assert late.startswith("DEADLINE_EXCEEDED ")
    assert left == "CANCELLED"
