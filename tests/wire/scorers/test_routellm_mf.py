"""RouteLLM's published mf checkpoint, by its own layout: weights alone, and embeddings from an endpoint."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from pointsman.runtime.settings import StrategySettings
from scorers.errors import CheckpointRefused
from scorers.mf.router import MatrixFactorizationRouter
from scorers.router import ModelPair, ScoredPrompt, WinRate
from tests.support.backend import Received, answering, scripted_backend
from tests.unit.scorers.checkpoints import SyntheticEmbedder, random_tensors

_DIM = 1536
_TEXTS = ["What is 1+1?", "Prove it.", "法国的首都是哪里?"]


async def _embedding(received: Received, writer: asyncio.StreamWriter) -> None:
    vectors = SyntheticEmbedder(_DIM).embed(received.json["input"]).vectors
    rows = [{"index": i, "embedding": vector.tolist()} for i, vector in enumerate(vectors)]
    await answering(200, json.dumps({"data": rows}).encode())(received, writer)


def _settings(folder: Path, **embedder: object) -> StrategySettings:
    return StrategySettings(checkpoint=str(folder), options={"embedder": embedder} if embedder else {})


async def test_it_scores_by_upstreams_formula_for_upstreams_pair(tmp_path: Path) -> None:
    """Rows 24 and 36 of 64, with both vectors normalised, the projection and the classifier, written out in float32."""
    tensors = random_tensors(num_models=64, dim=128, text_dim=_DIM)
    save_file(tensors, tmp_path / "model.safetensors")
    async with scripted_backend("api", _embedding) as backend:
        settings = _settings(tmp_path, base_url=backend.url, model="text-embedding-3-small", dim=_DIM)
        router = await asyncio.to_thread(MatrixFactorizationRouter.build, settings)
        scored = await asyncio.to_thread(router.calculate_strong_win_rates, [ScoredPrompt(text) for text in _TEXTS])
    assert router.trained_pair == ModelPair("gpt-4-1106-preview", "mixtral-8x7b-instruct-v0.1")
    assert router.checkpoint.startswith(f"{tmp_path.name}@sha256:")
    for text, result in zip(_TEXTS, scored, strict=True):
        projected = tensors["text_proj.0.weight"] @ SyntheticEmbedder(_DIM).vector(text)
        rows = [tensors["P.weight"][i] / np.linalg.norm(tensors["P.weight"][i]) for i in (24, 36)]
        strong, weak = (float(tensors["classifier.0.weight"][0] @ (row * projected)) for row in rows)
        assert isinstance(result, WinRate)
        assert result.strong_win_rate == pytest.approx(1 / (1 + np.exp(weak - strong)), abs=1e-5)


@pytest.mark.parametrize(
    ("embedder", "said"),
    [
        ({}, "options.embedder must name an endpoint"),
        ({"base_url": "http://127.0.0.1:1/v1", "model": "text-embedding-3-large", "dim": _DIM}, "was fitted to text-embedding-3-small"),
        ({"base_url": "http://127.0.0.1:1/v1", "model": "text-embedding-3-small", "dim": 512}, "with 1536 dimensions"),
    ],
)
def test_other_embeddings_are_refused(tmp_path: Path, embedder: dict[str, object], said: str) -> None:
    """Win rates from another space would mean nothing."""
    save_file(random_tensors(num_models=64, dim=128, text_dim=_DIM), tmp_path / "model.safetensors")
    with pytest.raises(CheckpointRefused, match=said):
        MatrixFactorizationRouter.build(_settings(tmp_path, **embedder))


def test_a_key_too_many_or_too_few_is_refused(tmp_path: Path) -> None:
    """Upstream's own loader would leave a missing key at random values."""
    tensors = random_tensors(num_models=64, dim=128, text_dim=_DIM)
    endpoint = {"base_url": "http://127.0.0.1:1/v1", "model": "text-embedding-3-small", "dim": _DIM}
    for changed, said in (
        ({**tensors, "Q.weight": tensors["P.weight"]}, "don't belong: Q.weight"),
        ({name: tensor for name, tensor in tensors.items() if name != "P.weight"}, "missing: P.weight"),
    ):
        save_file(changed, tmp_path / "model.safetensors")
        with pytest.raises(CheckpointRefused, match=said):
            MatrixFactorizationRouter.build(_settings(tmp_path, **endpoint))
