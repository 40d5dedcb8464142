"""Embeddings over HTTP: batches, order, retries, failures, by a real server."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import numpy as np
import pytest

from scorers.embedding.endpoint import EndpointEmbedder, EndpointOptions
from scorers.errors import EmbeddingFailed
from tests.support.backend import Received, ScriptedBackend, answering, scripted_backend

_DIM = 3


async def _embedding(received: Received, writer: asyncio.StreamWriter) -> None:
    """Each text's length in every dimension, the rows in reverse order."""
    rows = [{"index": i, "embedding": [float(len(text))] * _DIM} for i, text in enumerate(received.json["input"])]
    await answering(200, json.dumps({"data": rows[::-1], "usage": {}}).encode())(received, writer)


def _embedder(backend: ScriptedBackend, **options: Any) -> EndpointEmbedder:
    return EndpointEmbedder(EndpointOptions(base_url=backend.url, model="some-embedding", dim=_DIM, **options))


async def test_texts_go_in_batches_and_come_back_in_order(tmp_path: Any) -> None:
    """With the model's name and the key; an empty text isn't refused, a very long one is cut and said to be."""
    (tmp_path / "key").write_text("secret\n")
    async with scripted_backend("api", _embedding) as backend:
        texts = ["a", "bb", "", "dddd", "e" * 30_000]
        found = await asyncio.to_thread(_embedder(backend, batch=2, key_file=tmp_path / "key").embed, texts)
    assert found.vectors[:, 0].tolist() == [1, 2, 1, 4, 24_000]
    assert found.truncated == [False, False, False, False, True]
    assert [len(request.json["input"]) for request in backend.received] == [2, 2, 1]
    assert backend.received[0].json["model"] == "some-embedding"
    assert backend.received[0].path == "/v1/embeddings"
    assert backend.received[0].headers["authorization"] == "Bearer secret"


async def test_a_passing_failure_is_tried_again() -> None:
    """A 503 and then an answer."""

    async def once(received: Received, writer: asyncio.StreamWriter) -> None:
        await (answering(503, b"") if len(backend.received) == 1 else _embedding)(received, writer)

    async with scripted_backend("api", once) as backend:
        found = await asyncio.to_thread(_embedder(backend).embed, ["abc"])
    assert np.array_equal(found.vectors, np.full((1, _DIM), 3, dtype=np.float32))
    assert len(backend.received) == 2


@pytest.mark.parametrize(
    ("status", "body", "calls", "said"),
    [
        (500, b"", 2, "failed 2 times; the last time with status 500"),
        (401, b"", 1, "answered 401"),
        (200, b"not json", 1, "not a list of embeddings"),
        (200, b'{"data": [{"index": 0, "embedding": [1, 2]}]}', 1, r"answered \[1, 2\] numbers, not \[1, 3\]"),
        (200, b'{"data": []}', 1, "numbers, not"),
    ],
)
async def test_a_lasting_failure_is_told_without_the_text(status: int, body: bytes, calls: int, said: str) -> None:
    """After the last try, or at once where trying again can't help."""
    async with scripted_backend("api", answering(status, body)) as backend:
        with pytest.raises(EmbeddingFailed, match=said) as caught:
            await asyncio.to_thread(_embedder(backend, tries=2).embed, ["canary"])
    assert len(backend.received) == calls
    assert "canary" not in str(caught.value)


async def test_nobody_at_the_endpoint_is_told() -> None:
    """By the kind of failure."""
    options = EndpointOptions(base_url="http://127.0.0.1:1/v1", model="m", dim=_DIM, tries=1)
    with pytest.raises(EmbeddingFailed, match="ConnectError"):
        await asyncio.to_thread(EndpointEmbedder(options).embed, ["x"])
