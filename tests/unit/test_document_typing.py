"""What `make test-docs` types fails where it would disappoint whoever types it."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.documents.blocks import Block
from tests.documents.typed import typed


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server that answers each path with the status that it is."""

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b'{"said": "in the body"}'
            self.send_response(int(self.path.strip("/")))
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def _block(text: str, language: str = "sh") -> Block:
    return Block("README.md", 1, language, text, "", "")


@pytest.mark.parametrize("line", ["curl -s {url}", "curl -si {url}", "curl -s {url} | cat", "said=$(curl -s {url}); echo $said"])
def test_a_curl_that_is_answered_by_an_error_fails(url: str, tmp_path: Path, line: str) -> None:
    """With the answer among what it printed; and one that isn't, doesn't."""
    for status in ("400", "404", "429", "503"):
        done = typed(_block(line.format(url=f"{url}/{status}")), tmp_path)
        assert done.returncode == 22, status
        assert "in the body" in done.stdout or "said=" in line
    done = typed(_block(line.format(url=f"{url}/200")), tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "in the body" in done.stdout


def test_a_line_that_fails_ends_the_block(tmp_path: Path) -> None:
    """And a program that raises fails."""
    done = typed(_block("false\necho reached"), tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert typed(_block("raise SystemExit(3)", "python"), tmp_path).returncode == 3
