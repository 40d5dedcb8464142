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
from scorers.hub import PUBLISHED, checkpoint_folder, checkpoint_name

_REVISION = "5eb3dc7" + "0" * 33
_CAUSAL = "routellm/causal_llm_gpt4_augmented"
_CAUSAL_REVISION = "67b336c" + "0" * 33
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
    commits: list[str] = field(default_factory=lambda: [_CAUSAL_REVISION, "1" * 40])
    """Of the repository that is pinned by its first digits."""


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A hub with two repositories, each at one revision."""
    found = Hub("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(with_body=True)

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def _answer(self, *, with_body: bool) -> None:
            path = self.path.partition("?")[0]
            found.paths.append(path)
            if path == f"/api/models/{_CAUSAL}/commits/main":
                commits = [
                    {"id": id_, "title": "x", "message": "", "authors": [], "date": "2024-06-16T00:00:00.000Z"} for id_ in found.commits
                ]
                self._send(200, json.dumps(commits).encode(), "application/json", with_body)
            elif path in (f"/api/models/routellm/mf/tree/{_REVISION}", f"/api/models/{_CAUSAL}/tree/{_CAUSAL_REVISION}"):
                tree = [
                    {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
                    for name, data in _FILES.items()
                ]
                self._send(200, json.dumps(tree).encode(), "application/json", with_body)
            elif (name := path.rpartition("/resolve/")[2].partition("/")[2]) in _FILES:
                self._send(200, _FILES[name], "application/octet-stream", with_body)
            else:
                self._send(404, b"{}", "application/json", with_body)

        def _send(self, status: int, data: bytes, content_type: str, with_body: bool) -> None:
            self.send_response(status)
            self.send_header("content-type", content_type)
            self.send_header("content-length", str(len(data)))
            self.send_header("x-repo-commit", _CAUSAL_REVISION if _CAUSAL in self.path else _REVISION)
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


def test_routellms_bare_names_are_pinned(hub: Hub, tmp_path: Path) -> None:
    """By their whole revision, or by the one commit that begins with the digits that are known; that one is then found offline."""
    assert all(len(revision) in (7, 40) for revision in PUBLISHED.values())
    with pytest.raises(CheckpointRefused, match="bert_gpt4_augmented@86237e3df400 can't be downloaded"):
        checkpoint_folder("routellm/bert_gpt4_augmented", endpoint=hub.url, cache=tmp_path)
    folder = checkpoint_folder(_CAUSAL, endpoint=hub.url, cache=tmp_path)
    assert folder.name == _CAUSAL_REVISION
    asked = len(hub.paths)
    assert checkpoint_folder(_CAUSAL, endpoint=hub.url, cache=tmp_path) == folder
    assert len(hub.paths) == asked


def test_digits_that_two_commits_begin_with_pin_nothing(hub: Hub, tmp_path: Path) -> None:
    """Nor do those that none begins with."""
    hub.commits = [_CAUSAL_REVISION, "67b336c" + "1" * 33]
    with pytest.raises(CheckpointRefused, match="has 2 revisions that begin with 67b336c"):
        checkpoint_folder(_CAUSAL, endpoint=hub.url, cache=tmp_path)
    hub.commits = ["1" * 40]
    with pytest.raises(CheckpointRefused, match="has no revisions that begin with"):
        checkpoint_folder(_CAUSAL, endpoint=hub.url, cache=tmp_path)


@pytest.mark.parametrize(
    ("checkpoint", "name"),
    [("routellm/bert_gpt4_augmented", "bert_gpt4_augmented"), (f"a/b.c@{'0' * 40}", "b.c"), ("/srv/my mf/", "my-mf"), ("/", "checkpoint")],
)
def test_a_checkpoint_without_a_name_is_called_by_its_repository_or_folder(checkpoint: str, name: str) -> None:
    """Never by a snapshot's hash."""
    assert checkpoint_name(checkpoint) == name


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
