"""The command over TLS, with keys and tokens: by its options, and by the settings."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from gateway.service import serving
from pointsman.runtime.client_tls import ClientTls
from pointsman.runtime.probes import grpc_healthy, http_ready
from tests.support.backend import echoing, scripted_backend
from tests.support.certificates import Authority
from tests.support.controllers import running_controller
from tests.support.scorers import scripted_scorers
from tests.wire.cli.test_commands import pointsman_command
from tests.wire.client.scripted import ScriptedRouteService, serve
from tests.wire.gateway.conftest import settings_for
from tests.wire.gateway.scripted_controller import ScriptedController, controller_on

KEY, TOKEN = "canary-key-of-a-caller", "canary-token-of-the-gateway"


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    """Whom everybody trusts."""
    return Authority(tmp_path / "ours")


async def test_callers_commands_speak_tls_and_send_a_key(tmp_path: Path, ours: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the environment or from a file; neither output has it."""
    service, server = ScriptedRouteService(), ours.issue()
    (tmp_path / "key").write_text(f"{KEY}\n")
    monkeypatch.setenv("THE_KEY", KEY)
    own = ours.write(ours.issue("bot.example"), "client")
    tls = ("--ca-file", str(ours.ca_file), "--cert-file", str(own[0]), "--key-file", str(own[1]))
    async with serve(service, grpc.ssl_server_credentials([(server.key, server.chain)], ours.roots, True)) as address:
        for command in (["route", "x"], ["chat", "x"]):
            for key in (("--api-key-env", "THE_KEY"), ("--api-key-file", str(tmp_path / "key"))):
                done = await pointsman_command(*command, "--address", address, *tls, *key)
                assert (done.code, done.err) == (0, "")
                assert KEY not in done.out
    assert service.authorizations == [f"Bearer {KEY}"] * 4


async def test_options_that_cannot_be_used_are_exit_code_2_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that would cross a network in plain text, what isn't there, half of a pair; for evaluation and labelling too."""
    monkeypatch.setenv("THE_KEY", KEY)
    (tmp_path / "some.csv").write_text("prompt,weak,strong\nx,0,1\ny,1,1\n")
    remote = ("--address", "192.0.2.7:50051")
    evaluate = ("evaluate", "--data", str(tmp_path / "some.csv"), "--strategies", "mf", "--url", "192.0.2.7:50051")
    pin = ("pin", "default", "weak")
    for arguments, said in (
        (("route", "x", *remote, "--api-key-env", "THE_KEY"), "in plain text"),
        ((*evaluate, "--api-key-env", "THE_KEY"), "in plain text"),
        (("route", "x", "--api-key-env", "NO_SUCH_KEY"), "NO_SUCH_KEY"),
        (("route", "x", "--ca-file", str(tmp_path / "none")), "none can't be read: No such file"),
        (("route", "x", "--cert-file", str(tmp_path / "some.csv")), "go together"),
        ((*pin, "--token-file", str(tmp_path / "none")), "none can't be read: No such file"),
        ((*pin, "--cert-file", str(tmp_path / "some.csv")), "cert-file and key-file go together"),
        ((*pin, "--ca-file", str(tmp_path / "some.csv")), "holds no certificate"),
    ):
        done = await pointsman_command(*arguments)
        assert (done.code, done.out) == (2, ""), done.err
        assert said in done.err
        assert "Traceback" not in done.err
        assert KEY not in done.err


@pytest.fixture
async def guarded(tmp_path: Path, ours: Authority) -> AsyncIterator[str]:
    """A controller that requires a certificate and a token."""
    (tmp_path / "token").write_text(TOKEN)
    own = {"tls": ours.server("required"), "token_file": tmp_path / "token"}
    async with (
        scripted_backend("weak", echoing) as backend,
        scripted_scorers({"mf": lambda _: 0.4, "random": lambda _: 0.5}) as scorers,
        running_controller({"strong": backend.settings, "weak": backend.settings}, scorers.address, ready=False, own=own) as controller,
    ):
        yield controller.address


async def test_operators_commands_get_in_as_the_gateway_does_by_the_settings_or_by_options(
    tmp_path: Path, ours: Authority, guarded: str
) -> None:
    """Pin, stats and calibrate; without either they are refused, and nothing says the token."""
    link = ours.client("operator.example").model_dump(mode="json")
    settings, token = tmp_path / "settings.yaml", tmp_path / "token"
    settings.write_text(json.dumps({"gateway": {"controller_tls": link, "controller_token_file": str(token)}}))
    by_options = [each for key in ("ca_file", "cert_file", "key_file") for each in (f"--{key.replace('_', '-')}", link[key])]
    for access in (("--settings", str(settings)), (*by_options, "--token-file", str(token))):
        for command in (("pin", "default", "weak", "--json"), ("stats", "--json")):
            done = await pointsman_command(*command, "--address", guarded, *access)
            assert (done.code, done.err) == (0, "")
            assert TOKEN not in done.out
    refused = await pointsman_command("stats", "--address", guarded, *by_options)
    assert (refused.code, refused.err.splitlines()[1:]) == (1, ["reason: UNAUTHENTICATED"])
    assert "The controller's token is missing or wrong" in refused.err
    nobody = await pointsman_command("stats", "--address", guarded, "--ca-file", str(ours.ca_file))
    assert nobody.code == 3
    recent = ("calibrate", "--recent", "--strategies", "mf", "--strong-share", "0.5", "--url", guarded)
    asked = await pointsman_command(*recent, "--settings", str(settings))
    assert (asked.code, "too few" in asked.err or "win rates" in asked.err) == (1, True), asked.err


async def test_operators_commands_need_nothing_but_their_extra(tmp_path: Path) -> None:
    """structlog is the services'."""
    code = (
        "import sys; sys.modules['structlog'] = None\n"
        "import pointsman.cli; sys.argv = ['pointsman', 'stats', '--address', '127.0.0.1:1', '--token-file', sys.argv[1]]\n"
        "sys.exit(pointsman.cli.main())"
    )
    (tmp_path / "token").write_text(TOKEN)
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, str(tmp_path / "token"), stderr=asyncio.subprocess.PIPE)
    _, err = await process.communicate()
    assert (process.returncode, b"can't be reached" in err, b"canary" in err) == (3, True, False)


@pytest.mark.parametrize("client_certificates", ["none", "optional", "required"])
async def test_up_asks_services_over_tls_whether_they_are_ready(ours: Authority, client_certificates: str) -> None:
    """The gateway without a certificate of its own, the controller as the gateway does."""
    tls = ours.server(client_certificates)
    async with controller_on(ScriptedController()) as controller, serving(settings_for(controller.port, tls=tls)) as gateway:
        ready = http_ready("127.0.0.1", gateway.rest_port, "/livez", tls)
        assert await ready() is None
        mine = ClientTls(ours.client("gateway.example"), "gateway.controller_tls")
        assert await grpc_healthy("127.0.0.1", gateway.grpc_port, mine)() is None
        assert await http_ready("127.0.0.1", gateway.rest_port, "/livez")() is not None


async def test_up_refuses_settings_whose_gateway_the_controller_would_refuse(tmp_path: Path, ours: Authority) -> None:
    """TLS or a token on one side alone, no certificate where one is required, and files that aren't there."""
    server, plain = ours.server("required").model_dump(mode="json"), ours.client().model_dump(mode="json")
    for parts, said in (
        ({"controller": {"tls": server}}, "gateway.controller_tls: it and controller.tls are both set or neither"),
        (
            {"controller": {"tls": server}, "gateway": {"controller_tls": plain}},
            "gateway.controller_tls.cert_file: controller.tls requires",
        ),
        ({"controller": {"token_env": "HOME"}}, "gateway.controller_token_file: the controller wants a token"),
        ({"gateway": {"controller_tls": {"ca_file": "none.crt"}}}, "gateway.controller_tls.ca_file: none.crt can't be read"),
    ):
        (tmp_path / "settings.yaml").write_text(json.dumps(parts))
        done = await pointsman_command("up", "--settings", str(tmp_path / "settings.yaml"))
        assert (done.code, done.out) == (2, "")
        assert said in done.err
        assert "Traceback" not in done.err
