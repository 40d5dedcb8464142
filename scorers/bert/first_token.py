"""The last layer, for the first token alone: no head of these models looks at another, so that most of the layer is never needed."""

from __future__ import annotations

from typing import Any, Final

import torch
from torch.nn import functional

_ALIKE: Final = ("bert", "roberta", "xlm-roberta")
"""Model types whose layers are built alike, and whose heads read the first token."""


def read_first_token_only(model: Any) -> None:
    """Replaces the last layer by one that gives (n, 1, hidden size), the same numbers (to rounding); other architectures stay whole."""
    if model.config.model_type in _ALIKE:
        layers = model.base_model.encoder.layer
        layers[-1] = FirstTokenLayer(layers[-1])


class FirstTokenLayer(torch.nn.Module):
    """Keys and values of all tokens; query, output and feed-forward of the first."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, hidden: torch.Tensor, mask: torch.Tensor | None = None, *_: Any, **__: Any) -> torch.Tensor:
        """(n, 1, hidden size), from (n, tokens, hidden size) and what transformers passes to a layer."""
        attention, first = self.layer.attention, hidden[:, :1]
        heads = (-1, attention.self.attention_head_size)
        query = attention.self.query(first).unflatten(-1, heads).transpose(1, 2)
        key = attention.self.key(hidden).unflatten(-1, heads).transpose(1, 2)
        value = attention.self.value(hidden).unflatten(-1, heads).transpose(1, 2)
        seen = functional.scaled_dot_product_attention(query, key, value, attn_mask=None if mask is None else mask[:, :, :1])
        attended = attention.output(seen.transpose(1, 2).flatten(2), first)
        found: torch.Tensor = self.layer.output(self.layer.intermediate(attended), attended)
        return found
