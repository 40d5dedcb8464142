"""Reads the distribution over the five score tokens: one forward pass per batch, the common prefix computed once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import DynamicCache

from scorers.batching import alike
from scorers.causal_llm.served import ServedLlama
from scorers.device import CPU, Device

_MOST_IDS: Final = 1024  # in one forward pass, padding included: more is slower on a CPU, and keeps unlike lengths together


class PrefixedLlama:
    """A `LlamaModel` and the ids that every turn follows, whose keys and values are computed here and stay."""

    def __init__(self, llama: Any, prefix: Sequence[int]) -> None:
        """`prefix` has one id at least."""
        self._llama = llama
        cache = DynamicCache(config=llama.config)
        with torch.inference_mode():
            hidden = llama(input_ids=torch.tensor([list(prefix)]), past_key_values=cache, use_cache=True).last_hidden_state
        self.prefix_hidden: torch.Tensor = hidden[0]
        """(ids, hidden): what the model gives for the prefix."""
        self._layers = [(layer.keys, layer.values) for layer in cache.layers]

    @torch.inference_mode()
    def hidden(self, turns: Sequence[Sequence[int]]) -> torch.Tensor:
        """(n, longest, hidden) for the turns' ids; a shorter turn's row ends in numbers without meaning."""
        # Padding is on the right: no turn sees it, since each position sees only what's before it, and positions count from the prefix.
        longest = max(len(turn) for turn in turns)
        ids = torch.tensor([[*turn, *[0] * (longest - len(turn))] for turn in turns])
        cache = DynamicCache(config=self._llama.config)
        for i, (keys, values) in enumerate(self._layers):
            cache.update(keys.expand(len(turns), -1, -1, -1), values.expand(len(turns), -1, -1, -1), i)
        hidden: torch.Tensor = self._llama(input_ids=ids, past_key_values=cache, use_cache=True).last_hidden_state
        return hidden


class ScoreModel:
    """A Llama behind its prefix, and the five score tokens' rows of its output head."""

    def __init__(
        self, llama: Any, rows: torch.Tensor, prefix: Sequence[int], dtype: torch.dtype = torch.float32, device: Device = CPU
    ) -> None:
        """`llama` is a `LlamaModel`, `rows` (5, hidden), `dtype` what the layers' products are computed in."""
        self._llama = ServedLlama(llama, prefix, dtype, device)
        self._rows = rows.float().to(device.name)
        self._longest = llama.config.max_position_embeddings - len(prefix)
        self._fixed = device.fixed
        self._most_ids = device.most_tokens(lambda rows, ids: self._last([[0] * ids] * rows), self._longest) or _MOST_IDS

    def logits(self, turns: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """(n, 5): of [[1]] to [[5]] as the token that follows each turn."""
        logits = np.empty((len(turns), len(self._rows)), dtype=np.float32)
        lengths = [len(turn) for turn in turns]
        for batch in alike(lengths, most=len(turns), fixed=self._fixed, most_tokens=self._most_ids):
            logits[batch] = self._last([turns[i] for i in batch])
        return logits

    @torch.inference_mode()
    def _last(self, turns: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = (self._llama.last_hidden(turns, self._longest) @ self._rows.T).cpu().numpy()
        return found


def batches(lengths: Sequence[int]) -> list[list[int]]:
    """All indices in batches of alike length, the short ones first, each small enough for one forward pass."""
    return alike(lengths, most=_MOST_IDS, most_tokens=_MOST_IDS)


def strong_win_rates(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n,): 1 - P(score >= 4), from logits (n, 5); 1 where the model gave no number, which is no score."""
    finite: NDArray[np.bool_] = np.asarray(np.isfinite(logits).all(axis=1))
    known = np.where(finite[:, None], logits, 0).astype(np.float64)
    powers = np.exp(known - known.max(axis=1, keepdims=True))
    rates: NDArray[np.float64] = np.where(finite, 1 - powers[:, 3:].sum(axis=1) / powers.sum(axis=1), 1.0)
    return rates
