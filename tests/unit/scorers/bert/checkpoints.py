"""Checkpoints of our own layout, with drawn weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from scorers.bert.base import empty_model, load_base
from scorers.bert.config import BertConfig
from scorers.checkpoint import write_checkpoint

LAYERS = 2
REPLACED = ("bert.encoder.layer.1.", "bert.pooler.", "classifier.")


def drawn_tensors() -> dict[str, Any]:
    """What a two-layer model replaces."""
    torch.manual_seed(0)
    state = empty_model(LAYERS).state_dict()
    return {name: tensor.numpy() for name, tensor in state.items() if name.startswith(REPLACED)}


def written(folder: Path, tensors: dict[str, Any] | None = None, **changes: Any) -> BertConfig:
    """Two layers over the packaged base, unless told otherwise."""
    config = {
        "strategy": "bert",
        "name": "tested",
        "base": {"id": "all-MiniLM-L6-v2", "sha256": load_base(empty_model(LAYERS), REPLACED)},
        "layers": LAYERS,
        "replaced": REPLACED,
        "max_tokens": 64,
        "strong": "big",
        "weak": "small",
        "data_sha256": "0" * 64,
        "seed": 0,
        "created": "2026-11-22",
        **changes,
    }
    return write_checkpoint(folder, BertConfig, config, drawn_tensors() if tensors is None else tensors, {}, "# tested\n")
