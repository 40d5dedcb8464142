"""Gateway and controller as processes with TLS between all: they start or say why not, answer, and log no secret."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.backend import echoing, scripted_backend
from tests.support.certificates import Authority
from tests.support.product import free_ports
from tests.support.scorers import scripted_scorers
from tests.wire.controller.test_process import logged
from tests.wire.tls.connecting import grpc_health, http_status, served_serial

TOKEN, PROMPT, KEY = "canary-token-of-the-gateway", "canary-prompt", "canary-key-of-a-caller"


@asynccontextmanager
async def process(service: str, settings: Path) -> AsyncIterator[Process]:
    """One of the services, killed on leaving if it still runs."""
    started = await asyncio.create_subprocess_exec(sys.executable, "-m", service, "--settings", str(settings), stderr=PIPE)
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.communicate()


async def stopped(running: Process) -> str:
    """What it still logged until it stopped in good order."""
    running.send_signal(signal.SIGTERM)
    _, log = await running.communicate()
    assert running.returncode == 0
    return log.decode()


def settings(folder: Path, name: str, values: Mapping[str, Any]) -> Path:
    """A file of them."""
    file = folder / f"{name}.yaml"
    file.write_text(json.dumps({"log": {"format": "json", "level": "debug"}, "records_dir": str(folder / "records"), **values}))
    return file


async def test_two_processes_serve_over_tls_and_log_no_token_key_or_prompt(ours: Authority, theirs: Authority, tmp_path: Path) -> None:
    """A caller with a certificate is answered, others aren't, a certificate changes meanwhile, and both stop in good order."""
    (tmp_path / "token").write_text(TOKEN)
    listens = ours.server("required").model_dump(mode="json")
    link = ours.client("gateway.example").model_dump(mode="json")
    mine, foreign = ours.write(ours.issue("bot.example"), "caller"), theirs.write(theirs.issue("bot.example"), "caller")
    async with (
        scripted_backend("weak", echoing) as backend,
        scripted_scorers({"mf": lambda _: 0.4}) as scorers,
    ):
        own = {"grpc_port": 0, "metrics_port": 0, "scorers": scorers.address, "drain_s": 1, "tls": listens}
        named = {"base_url": backend.url, "model": "weak-model"}
        values = {"controller": {**own, "token_file": str(tmp_path / "token")}, "backends": {"strong": named, "weak": named}}
        async with process("controller", settings(tmp_path, "controller", {**values, "strategies": {"mf": {}}})) as controller:
            address = str((await logged(controller, "controller ready"))["grpc"])
            to_it = {"controllers": [address], "controller_tls": link, "controller_token_file": str(tmp_path / "token")}
            edge = {"rest_port": 0, "grpc_port": 0, "drain_s": 1, "tls": listens, **to_it}
            async with process("gateway", settings(tmp_path, "gateway", {"gateway": edge})) as gateway:
                at = await logged(gateway, "gateway serves")
                url, grpc_port = str(at["rest"]), int(str(at["grpc"]).rpartition(":")[2])
                body = json.dumps({"model": "router-mf-0.5", "messages": [{"role": "user", "content": PROMPT}]})
                async with httpx.AsyncClient(verify=ours.context(mine), trust_env=False, timeout=30) as client:
                    said = {"authorization": f"Bearer {KEY}"}
                    answer = await client.post(f"{url}/chat/completions", content=body, headers=said)
                    assert (answer.status_code, PROMPT in answer.text) == (200, True)
                for own_certificate in (None, foreign):
                    assert await http_status(url.replace("/v1", "/health"), ours, own_certificate) == "refused"
                    assert await grpc_health(grpc_port, ours, own_certificate) == "UNAVAILABLE"
                before = await served_serial(httpx.URL(url).port or 0)
                ours.write(ours.issue())
                assert await served_serial(httpx.URL(url).port or 0) != before
                logs = await stopped(gateway)
            logs += await stopped(controller)
    assert logs
    assert [canary for canary in (TOKEN, PROMPT, KEY, "PRIVATE KEY") if canary in logs] == []


@pytest.mark.parametrize(
    ("service", "part", "said"),
    [
        (
            "gateway",
            {"gateway": {"tls": {"cert_file": "none.crt", "key_file": "none.key"}}},
            "gateway.tls.cert_file: none.crt can't be",
        ),
        ("gateway", {"gateway": {"controller_tls": {"ca_file": "none.crt"}}}, "gateway.controller_tls.ca_file: none.crt can't be read"),
        ("gateway", {"gateway": {"controller_token_env": "NO_SUCH"}}, "gateway.controller_token_env: the environment variable NO_SUCH"),
        ("controller", {"controller": {"tls": {"cert_file": "none.crt", "key_file": "none.key"}}}, "controller.tls.cert_file"),
        ("controller", {"controller": {"token_file": "none"}}, "controller.token_file: the key file none can't be read"),
    ],
)
async def test_missing_files_stop_a_process_at_its_start(tmp_path: Path, service: str, part: dict[str, Any], said: str) -> None:
    """Exit code 2, and the key is named."""
    if service == "controller":
        part["controller"] |= {"metrics_port": free_ports(1)[0]}
    async with process(service, settings(tmp_path, "settings", part)) as started:
        _, err = await started.communicate()
    assert (started.returncode, said in err.decode(), "Traceback" in err.decode()) == (2, True, False), err
