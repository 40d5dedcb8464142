"""What's trained: the five score tokens' rows, the final norm, and low-rank differences to the last layer's matrices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

SCORE_ROWS: Final = "score.rows"
NORM: Final = "norm.weight"
MODULES: Final = (
    "self_attn.q_proj",
    "self_attn.k_proj",
    "self_attn.v_proj",
    "self_attn.o_proj",
    "mlp.gate_proj",
    "mlp.up_proj",
    "mlp.down_proj",
)


def adapter_shapes(config: Any, rank: int) -> dict[str, tuple[int, ...]]:
    """Every tensor of the adapter for a base of that `LlamaConfig`; a difference is `up @ down`."""
    hidden, inner = config.hidden_size, config.intermediate_size
    size = config.head_dim or hidden // config.num_attention_heads
    queries, values = size * config.num_attention_heads, size * config.num_key_value_heads
    shapes: dict[str, tuple[int, ...]] = {SCORE_ROWS: (5, hidden), NORM: (hidden,)}
    sides = (
        (queries, hidden),
        (values, hidden),
        (values, hidden),
        (hidden, queries),
        (inner, hidden),
        (inner, hidden),
        (hidden, inner),
    )
    for module, (rows, columns) in zip(MODULES, sides, strict=True):
        shapes[f"{module}.down"] = (rank, columns)
        shapes[f"{module}.up"] = (rows, rank)
    return shapes


@torch.no_grad()
def merge(llama: Any, tensors: Mapping[str, NDArray[np.float32]]) -> torch.Tensor:
    """Adds the differences to the last layer of the `LlamaModel`, sets its final norm, and returns the score rows (5, hidden)."""
    layer = llama.layers[-1]
    for module in MODULES:
        weight = layer.get_submodule(module).weight
        difference = torch.tensor(tensors[f"{module}.up"]) @ torch.tensor(tensors[f"{module}.down"])
        weight.copy_((weight.float() + difference).to(weight.dtype))
    llama.norm.weight.copy_(torch.tensor(tensors[NORM]))
    return torch.tensor(tensors[SCORE_ROWS]).to(llama.norm.weight.dtype)
