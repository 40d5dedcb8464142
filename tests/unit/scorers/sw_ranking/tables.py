"""Checkpoints of sw_ranking for tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scorers.checkpoint import write_checkpoint
from scorers.embedding.hashing import HashingEmbedder
from scorers.sw_ranking.config import SWConfig
from scorers.sw_ranking.table import build_table

PROMPTS = ["hard proof", "hard integral", "easy greeting", "easy sum"]


def tensors() -> dict[str, NDArray[Any]]:
    """Four battles of three models over the hashing embedder, a hundred times: hard prompts are the big model's, easy ones ties."""
    vectors = np.repeat(HashingEmbedder().embed(PROMPTS).vectors, 100, axis=0)
    outcomes = np.repeat([0, 0, 2, 2], 100).tolist()
    second = [1 + i % 2 for i in range(400)]
    return build_table(vectors, [0] * 400, second, outcomes, [0, 1, 1], "float16").tensors()


def written(folder: Path, table: Mapping[str, NDArray[Any]] | None = None, **changes: Any) -> SWConfig:
    """A checkpoint on disk."""
    embedder = HashingEmbedder()
    config = {
        "strategy": "sw_ranking",
        "name": "tested",
        "embedder": {"id": embedder.id, "sha256": embedder.sha256, "dim": embedder.dim},
        "models": {"big": 0, "small": 1, "other": 2},
        "strong": "big",
        "weak": "small",
        "battles": 400,
        "storage": "float16",
        "data_sha256": "0" * 64,
        "seed": 0,
        "created": "2026-11-22",
        **changes,
    }
    return write_checkpoint(folder, SWConfig, config, tensors() if table is None else table, {}, "# tested\n")
