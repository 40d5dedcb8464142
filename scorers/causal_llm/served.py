"""A Llama's forward pass as it serves: the prefix's keys and values kept, a turn's last position the only one that's asked for.

Written apart from transformers' own because there, for a batch of prompts, half of the time goes to what surrounds the products.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional
from transformers import DynamicCache

from scorers.batching import padded
from scorers.device import CPU, Device


class ServedLayer:
    """One decoder layer on its device: products and attention in `dtype`, norms and what runs past the layer in float32.

    Queries, keys and values come of one product, and so do the two sides of the gate.
    """

    def __init__(self, layer: Any, config: Any, dtype: torch.dtype, device: str, prefix: Sequence[torch.Tensor]) -> None:
        """`prefix` has the keys and values (1, key heads, ids, head size) of what stands before every turn."""
        to: dict[str, Any] = {"device": device, "dtype": dtype}
        attention, mlp = layer.self_attn, layer.mlp
        self._size: int = attention.head_dim
        self._widths = [
            count * self._size for count in (config.num_attention_heads, config.num_key_value_heads, config.num_key_value_heads)
        ]
        self._eps: float = config.rms_norm_eps
        self._norms = tuple(norm.weight.float().to(device) for norm in (layer.input_layernorm, layer.post_attention_layernorm))
        self._dtype = dtype
        self._qkv = torch.cat([each.weight for each in (attention.q_proj, attention.k_proj, attention.v_proj)]).to(**to)
        self._o = attention.o_proj.weight.to(**to)
        self._gate_up = torch.cat([mlp.gate_proj.weight, mlp.up_proj.weight]).to(**to)
        self._down = mlp.down_proj.weight.to(**to)
        self._prefix = [each.to(**to) for each in prefix]

    def forward(self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, mask: torch.Tensor, last: torch.Tensor | None) -> torch.Tensor:
        """(n, ids, hidden) from the same shape; with `last` (n,), an index for each turn, only that position: (n, 1, hidden).

        `x` is float32; `cos` and `sin` are (ids, head size), `mask` (ids, prefix + ids) is added to what attention weighs: in `dtype`.
        """
        y = self._normed(x, 0)
        q, k, v = (
            part.view(*x.shape[:2], -1, self._size).transpose(1, 2)
            for part in torch.split(functional.linear(y, self._qkv), self._widths, -1)
        )
        q, k = _turned(q, cos, sin), _turned(k, cos, sin)
        if last is not None:
            rows = torch.arange(len(x), device=x.device)
            x, q, mask = x[rows, last].unsqueeze(1), q[rows, :, last].unsqueeze(2), mask[last][:, None, None]
        before_k, before_v = (each.expand(len(x), -1, -1, -1) for each in self._prefix)
        seen = functional.scaled_dot_product_attention(
            q, torch.cat([before_k, k], 2), torch.cat([before_v, v], 2), attn_mask=mask, enable_gqa=True
        )
        x = x + functional.linear(seen.transpose(1, 2).flatten(2), self._o)
        gate, up = functional.linear(self._normed(x, 1), self._gate_up).chunk(2, -1)
        return x + functional.linear(functional.silu(gate).mul_(up), self._down)

    def _normed(self, x: torch.Tensor, which: int) -> torch.Tensor:
        return functional.rms_norm(x, x.shape[-1:], self._norms[which], self._eps).to(self._dtype)


def _turned(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    first, second = x.chunk(2, -1)
    return x * cos + torch.cat([-second, first], -1) * sin


class ServedLlama:
    """A `LlamaModel`, taken apart, behind the ids that every turn follows."""

    def __init__(self, llama: Any, prefix: Sequence[int], dtype: torch.dtype, device: Device = CPU) -> None:
        """`prefix` has one id at least. `llama` is on the CPU, and its embeddings are taken from it, not copied."""
        cache = DynamicCache(config=llama.config)
        with torch.inference_mode():
            llama(input_ids=torch.tensor([list(prefix)]), past_key_values=cache, use_cache=True)
        self._embed, self._rotary, self._prefix = llama.embed_tokens.to(device.name), llama.rotary_emb.to(device.name), len(prefix)
        self._dtype, self._device = dtype, device
        self._norm, self._eps = llama.norm.weight.float().to(device.name), llama.config.rms_norm_eps
        self._layers = [
            ServedLayer(layer, llama.config, dtype, device.name, (kept.keys, kept.values))
            for layer, kept in zip(llama.layers, cache.layers, strict=True)
        ]
        self._run = device.recurring(self._last_hidden)

    def last_hidden(self, turns: Sequence[Sequence[int]], most: int) -> torch.Tensor:
        """(n, hidden), float32: what the model gives at each turn's last id; no turn has more than `most`. Overwritten by the next call."""
        # Padding is on the right: no turn sees it, since each position sees only what's before it, and positions count from the prefix.
        ids, mask = padded(turns, 0, self._device.shape(len(turns), max(len(turn) for turn in turns), most))
        return self._run(self._device.put(ids), self._device.put(mask.sum(1) - 1))[: len(turns)]

    @torch.inference_mode()
    def _last_hidden(self, ids: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
        """Of turns (n, longest) whose last ids are at the indices `last` (n,)."""
        longest = ids.shape[1]
        x = self._embed(ids).float()
        positions = torch.arange(self._prefix, self._prefix + longest, device=ids.device).unsqueeze(0)
        cos, sin = (each[0].to(self._dtype) for each in self._rotary(x, positions))
        mask = torch.full((longest, self._prefix + longest), -torch.inf, dtype=self._dtype, device=ids.device).triu(self._prefix + 1)
        for layer in self._layers[:-1]:
            x = layer.forward(x, cos, sin, mask, None)
        x = self._layers[-1].forward(x, cos, sin, mask, last).squeeze(1)
        return functional.rms_norm(x, x.shape[-1:], self._norm, self._eps)
