"""Runs the classifier over batches of alike length, by one of the engines of `scorers.precision`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from scorers.batching import alike
from scorers.bert.classifier import Classifier
from scorers.bert.first_token import read_first_token_only
from scorers.precision import to_int8

ENGINES: Final = ("float32", "bfloat16", "int8")
_HEADS: Final = ("pooler", "classifier")


class Engine:
    """Not safe for several threads at once. Each prompt's probabilities are its own, whatever its batch (to rounding)."""

    def __init__(self, classifier: Classifier, engine: str, device: str) -> None:
        """`engine` is one that was chosen, so not `auto`.

        The model is changed in place; what turns the hidden states into classes stays float32.
        """
        self._padding_id = classifier.padding_id
        self._device = device
        read_first_token_only(classifier.model)
        dtype = torch.float32 if engine == "int8" else getattr(torch, engine)
        self._model: Any = classifier.model.to(device=device, dtype=dtype)
        if engine == "int8":
            to_int8(self._model, keep=_HEADS)
        for name, module in self._model.named_modules():
            if dtype != torch.float32 and name.rpartition(".")[2] in _HEADS:
                module.float().register_forward_pre_hook(_to_float32)

    def probabilities(self, ids: Sequence[Sequence[int]], *, most: int = 32) -> NDArray[np.float32]:
        """(n, 3), a row for each prompt's token ids, in order; at most `most` go through the model together."""
        rows = np.empty((len(ids), 3), dtype=np.float32)
        for batch in alike([len(each) for each in ids], most=most):
            rows[batch] = self._forward([ids[i] for i in batch])
        return rows

    @torch.inference_mode()
    def _forward(self, ids: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        tokens, mask = padded(ids, self._padding_id)
        logits = self._model(input_ids=tokens.to(self._device), attention_mask=mask.to(self._device)).logits
        found: NDArray[np.float32] = torch.softmax(logits.float(), dim=-1).cpu().numpy()
        return found


def padded(ids: Sequence[Sequence[int]], padding_id: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and mask, both (n, longest)."""
    longest = max(len(each) for each in ids)
    tokens = torch.tensor([[*each, *[padding_id] * (longest - len(each))] for each in ids])
    mask = torch.tensor([[1] * len(each) + [0] * (longest - len(each)) for each in ids])
    return tokens, mask


def _to_float32(module: torch.nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(each.float() if isinstance(each, torch.Tensor) else each for each in arguments)
