"""The trained part, for training: the last layer at the last position only, from hidden states that the frozen layers gave."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding, apply_rotary_pos_emb

from scorers.causal_llm.adapter import NORM, SCORE_ROWS, adapter_shapes
from scorers.causal_llm.linear import Floats

_STEEPNESS: Final = 0.5  # of the scores' logits, a step apart, per standard deviation of the linear solution


class LastLayer(torch.nn.Module):
    """Gives the five logits that the whole model would give; its parameters are the adapter's tensors."""

    def __init__(self, llama: Any, prefix: torch.Tensor, *, rank: int, seed: int) -> None:
        """`llama` is the base `LlamaModel`, `prefix` (ids, hidden) the layer's input there. Changes nothing of the layer yet."""
        super().__init__()
        self._config = llama.config
        self._layer = llama.layers[-1]
        self._rotary = LlamaRotaryEmbedding(config=llama.config)
        self._prefix = prefix
        draw = torch.Generator().manual_seed(seed)
        self._tensors = torch.nn.ParameterDict()
        for name, shape in adapter_shapes(llama.config, rank).items():
            start = torch.randn(shape, generator=draw) / shape[-1] ** 0.5 if name.endswith(".down") else torch.zeros(shape)
            self._tensors[name.replace(".", "/")] = torch.nn.Parameter(start)
        self._tensor(NORM).data.fill_(1.0)

    def adapter(self) -> dict[str, NDArray[np.float32]]:
        """The tensors as a checkpoint has them."""
        return {name.replace("/", "."): tensor.detach().numpy().copy() for name, tensor in self._tensors.items()}

    def load(self, adapter: dict[str, NDArray[np.float32]]) -> None:
        """Takes such tensors over."""
        for name, tensor in adapter.items():
            self._tensor(name).data.copy_(torch.tensor(tensor))

    @torch.no_grad()
    def means(self, hidden: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """(n, hidden): the mean of the layer's normed input up to each last position, which is what even attention sees."""
        seen = torch.arange(hidden.shape[1]).unsqueeze(0) < lengths.unsqueeze(1)
        total = (self._layer.input_layernorm(hidden) * seen.unsqueeze(-1)).sum(1) + self._layer.input_layernorm(self._prefix).sum(0)
        means: torch.Tensor = total / (lengths + len(self._prefix)).unsqueeze(1)
        return means

    @torch.no_grad()
    def begin_with(self, weights: Floats, constant: float, means: Floats, last: torch.Tensor) -> None:
        """Makes the layer compute w · mean + c and the scores follow it, the strong model's win rate rising.

        The first rank of three matrices does it: the query's takes the usual query away, so that attention is even; the value's
        computes the product; the output's writes it in a direction that the layer's inputs leave free, where the score rows read it.
        `weights` (hidden,) and `constant` are the linear solution over `means` (n, hidden); `last` (n, hidden) is the layer's input
        at last positions.
        """
        attention = self._layer.self_attn
        usual = self._layer.input_layernorm(last).mean(0)
        self._tensor("self_attn.q_proj.up")[:, 0] = -(attention.q_proj.weight @ usual)
        self._tensor("self_attn.q_proj.down")[0] = usual / usual.square().sum()

        predicted = means @ weights + constant
        level = means.mean(axis=0)
        centred = weights + (constant - predicted.mean()) * level / (level @ level)
        read = torch.tensor(centred / predicted.std(), dtype=torch.float32)
        carrier = torch.ones(attention.v_proj.weight.shape[0]) / attention.v_proj.weight.shape[0] ** 0.5
        self._tensor("self_attn.v_proj.up")[:, 0] = carrier
        self._tensor("self_attn.v_proj.down")[0] = read - carrier @ attention.v_proj.weight

        groups = attention.o_proj.weight.shape[1] // len(carrier)
        heads = carrier.view(-1, 1, attention.head_dim).expand(-1, groups, -1).reshape(-1) / groups
        free = torch.linalg.eigh(last.T @ last)[1][:, 0]
        size = last.square().mean(-1).sqrt().mean()
        self._tensor("self_attn.o_proj.down")[0] = heads
        self._tensor("self_attn.o_proj.up")[:, 0] = free * size
        self._tensor(SCORE_ROWS).copy_(torch.arange(2.0, -3.0, -1.0).unsqueeze(1) * _STEEPNESS * free)

    def forward(self, hidden: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Logits (n, 5), from the layer's input (n, ids, hidden) of turns padded on the right to the longest of `lengths` (n,)."""
        count, prefix = len(hidden), len(self._prefix)
        inputs = torch.cat([self._prefix.expand(count, -1, -1), hidden], dim=1)
        last = lengths + prefix - 1
        attended = inputs[torch.arange(count), last] + self._attention(self._layer.input_layernorm(inputs), last)
        normed = self._layer.post_attention_layernorm(attended)
        gated = functional.silu(self._linear("mlp.gate_proj", normed)) * self._linear("mlp.up_proj", normed)
        final = attended + self._linear("mlp.down_proj", gated)
        scaled = final * torch.rsqrt(final.square().mean(-1, keepdim=True) + self._config.rms_norm_eps)
        logits: torch.Tensor = (scaled * self._tensor(NORM)) @ self._tensor(SCORE_ROWS).T
        return logits

    def _attention(self, normed: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
        """(n, hidden): what each last position takes from all up to it."""
        count, length, _ = normed.shape
        size = self._layer.self_attn.head_dim
        keys = self._linear("self_attn.k_proj", normed).view(count, length, -1, size).transpose(1, 2)
        values = self._linear("self_attn.v_proj", normed).view(count, length, -1, size).transpose(1, 2)
        query = self._linear("self_attn.q_proj", normed[torch.arange(count), last]).view(count, 1, -1, size).transpose(1, 2)
        positions = torch.arange(length).unsqueeze(0)
        keys, _ = apply_rotary_pos_emb(keys, keys, *self._rotary(normed, positions))
        query, _ = apply_rotary_pos_emb(query, query, *self._rotary(normed, last.unsqueeze(1)))
        seen = (positions <= last.unsqueeze(1))[:, None, None, :]
        mixed = functional.scaled_dot_product_attention(query, keys, values, attn_mask=seen, enable_gqa=True)
        return self._linear("self_attn.o_proj", mixed.transpose(1, 2).reshape(count, -1))

    def _linear(self, module: str, inputs: torch.Tensor) -> torch.Tensor:
        down, up = self._tensor(f"{module}.down"), self._tensor(f"{module}.up")
        return functional.linear(inputs, self._layer.get_submodule(module).weight) + (inputs @ down.T) @ up.T

    def _tensor(self, name: str) -> torch.Tensor:
        tensor: torch.Tensor = self._tensors[name.replace(".", "/")]
        return tensor
