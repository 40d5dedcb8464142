"""What an image's HEALTHCHECK runs: asked of servers that answer, that don't yet, and that aren't there."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pointsman.runtime.healthcheck import main


@contextmanager
def answering(status: int, body: bytes) -> Iterator[tuple[int, list[str]]]:
    """A server, by its port, and the paths that it was asked for."""
    paths: list[str] = []

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port, paths
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "code", "said"), [(200, b"{}", 0, ""), (503, b'{"mf": "no replica answers"}', 1, '{"mf": "no replica answers"}\n')]
)
def test_a_gateway_is_asked_for_its_readiness_on_the_port_of_its_settings(
    status: int, body: bytes, code: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It binds every interface; what it says is missing is told."""
    with answering(status, body) as (port, paths):
        (file := tmp_path / "pointsman.yaml").write_text(f"gateway: {{host: 0.0.0.0, rest_port: {port}}}\n")
        monkeypatch.setenv("POINTSMAN_SETTINGS", str(file))
        assert main(["gateway"]) == code
    assert (paths, capsys.readouterr().err) == (["/readyz"], said)


def test_a_local_llm_is_asked_in_its_own_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each by the port of its tier."""
    with answering(200, b"{}") as (port, paths):
        monkeypatch.setenv("POINTSMAN_LOCAL_LLM__WEAK_PORT", str(port))
        assert main(["local-llm-weak"]) == 0
    assert paths == ["/health"]


@pytest.mark.parametrize(("service", "said"), [("gateway", "no answer on port 1 yet"), ("controller", "no answer on port 1 yet")])
def test_what_is_not_there_is_not_ready(
    service: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before it has begun to listen, say."""
    monkeypatch.setenv("POINTSMAN_GATEWAY__REST_PORT", "1")
    monkeypatch.setenv("POINTSMAN_CONTROLLER__GRPC_PORT", "1")
    assert main([service]) == 1
    assert capsys.readouterr().err == f"{said}\n"


def test_a_service_that_there_is_not_and_wrong_settings_are_another_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is asked then."""
    assert main(["router"]) == 2
    assert "gateway | controller | scorers" in capsys.readouterr().err
    monkeypatch.setenv("POINTSMAN_SETTINGS", "/nowhere/pointsman.yaml")
    assert main(["gateway"]) == 2
    assert capsys.readouterr().err == "/nowhere/pointsman.yaml: can't be read: No such file or directory (POINTSMAN_SETTINGS names it)\n"
