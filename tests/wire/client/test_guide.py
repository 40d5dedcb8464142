"""What docs/clients.md has people type in Python, typed before a scripted service, with failures of the kind that it is about."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import grpc
import pytest

from pointsman.runtime.errors import Overloaded, Unavailable
from tests.documents.blocks import ROOT, blocks
from tests.support.canary import KEY
from tests.support.certificates import Authority
from tests.wire.client.scripted import ScriptedRouteService, serve


def _program(about: str) -> str:
    """The guide's program that has these words."""
    [found] = [block.text for block in blocks() if block.file == "docs/clients.md" and block.language == "python" and about in block.text]
    return found


async def _printed(program: str, folder: Path) -> str:
    environment = {"PYTHONPATH": str(ROOT), "MY_POINTSMAN_KEY": KEY}
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=PIPE, stderr=PIPE, cwd=folder, env=environment)
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


@pytest.mark.parametrize(
    ("about", "script", "said"),
    [
        ("timeout=0.001", {"failures": [Unavailable("starting")], "takes_s": 1}, "big\nDEADLINE_EXCEEDED\n"),
        ("route_batch", {"failures": [grpc.StatusCode.UNAVAILABLE]}, "big 0.625\nbig 0.625\n"),
        ("patiently", {"failures": [Overloaded("full", retry_after_s=0.1)] * 2}, "Paris\n"),
        ("retryPolicy", {"failures": [Overloaded("full", retry_after_s=0.1), Unavailable("starting")]}, "big\n"),
        ("AnswerCut", {}, "Paris\nbig: 2 tokens in 0.00 s\n"),
        ("AnswerCut", {"cut": True}, "Paris\nBACKEND_CUT after 5 characters\n\nbig: 2 tokens in 0.00 s\n"),
        ("Tier.Name", {}, "TIER_STRONG big REASON_COMPARISON\n0.625 >= 0.5\n[]\n"),
        ("asyncio.gather", {}, "Parisrequest_id"),
    ],
    ids=["deadline", "batch", "waiting", "a channel", "stream", "a stream that breaks off", "a receipt", "async"],
)
async def test_a_program_of_the_guide_does_as_the_guide_says(tmp_path: Path, about: str, script: dict[str, Any], said: str) -> None:
    """As it stands, but for the address."""
    service = ScriptedRouteService(**{**script, "failures": list(script.get("failures", ()))})
    async with serve(service) as address:
        printed = await _printed(_program(about).replace("127.0.0.1:50051", address), tmp_path)
    assert said in printed
    assert service.failures == []


async def test_tls_and_a_key(tmp_path: Path) -> None:
    """By the files and the variable that the guide names."""
    service, ours = ScriptedRouteService(), Authority(tmp_path)
    (tmp_path / "ca.crt").write_bytes(ours.ca_file.read_bytes())
    server = ours.issue()
    async with serve(service, grpc.ssl_server_credentials([(server.key, server.chain)])) as address:
        printed = await _printed(_program("Tls.from_files").replace("router.example:50051", address), tmp_path)
    assert printed == "['mf', 'random']\n"
    assert service.authorizations == [f"Bearer {KEY}"]
