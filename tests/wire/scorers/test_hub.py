"""Checkpoints from a hub: downloaded once, pinned, safetensors only; by a stand-in that speaks the hub's HTTP."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from scorers.errors import CheckpointRefused
from scorers.hub import checkpoint_folder

_REVISION = "5eb3dc7" + "0" * 33
_FILES = {
    "model.safetensors": b"weights",
    "config.json": b"{}",
    "system_ft_v5.txt": b"system",
    "optimizer.pt": b"a pickle",
    "modeling.py": b"code",
    "runs/model.safetensors": b"another",
}


def _sha1(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()


@dataclass
class Hub:
    """The stand-in."""

    url: str
    paths: list[str] = field(default_factory=list)


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A hub with one repository at one revision."""
    found = Hub("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(with_body=True)

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def _answer(self, *, with_body: bool) -> None:
            path = self.path.partition("?")[0]
            found.paths.append(path)
            if path == f"/api/models/routellm/mf/tree/{_REVISION}":
                tree = [
                    {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
                    for name, data in _FILES.items()
                ]
                self._send(200, json.dumps(tree).encode(), "application/json", with_body)
            elif (name := path.removeprefix(f"/routellm/mf/resolve/{_REVISION}/")) in _FILES:
                self._send(200, _FILES[name], "application/octet-stream", with_body)
            else:
                self._send(404, b"{}", "application/json", with_body)

        def _send(self, status: int, data: bytes, content_type: str, with_body: bool) -> None:
            self.send_response(status)
            self.send_header("content-type", content_type)
            self.send_header("content-length", str(len(data)))
            self.send_header("x-repo-commit", _REVISION)
            self.send_header("etag", f'"{_sha1(data)}"')
            self.end_headers()
            if with_body:
                self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's own name)
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield found
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_pinned_repository_is_downloaded_once_without_pickles_or_code(hub: Hub, tmp_path: Path) -> None:
    """The second time it needs no network."""
    checkpoint = f"routellm/mf@{_REVISION}"
    folder = checkpoint_folder(checkpoint, endpoint=hub.url, cache=tmp_path)
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert names == {"model.safetensors", "config.json", "system_ft_v5.txt"}
    assert (folder / "model.safetensors").read_bytes() == b"weights"
    asked = len(hub.paths)
    assert checkpoint_folder(checkpoint, endpoint=hub.url, cache=tmp_path) == folder
    assert len(hub.paths) == asked


def test_a_repository_that_is_not_there_is_refused(hub: Hub, tmp_path: Path) -> None:
    """By its name and revision."""
    with pytest.raises(CheckpointRefused, match="nobody/nothing@555555555555 can't be downloaded"):
        checkpoint_folder(f"nobody/nothing@{'5' * 40}", endpoint=hub.url, cache=tmp_path)


@pytest.mark.parametrize("name", ["routellm/mf", "routellm/mf@main", "routellm/mf@5eb3dc7"])
def test_an_unpinned_repository_is_refused(name: str) -> None:
    """Weights that somebody may change unseen aren't loaded."""
    with pytest.raises(CheckpointRefused, match="all 40 digits"):
        checkpoint_folder(name)


def test_a_folder_is_itself(tmp_path: Path) -> None:
    """And one that isn't there is told."""
    assert checkpoint_folder(str(tmp_path)) == tmp_path
    with pytest.raises(CheckpointRefused, match="is not a folder"):
        checkpoint_folder(str(tmp_path / "none"))
