"""Runs the classifier over batches of alike length, by one of the engines of `scorers.precision`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from scorers.batching import alike, padded
from scorers.bert.classifier import Classifier
from scorers.bert.first_token import read_first_token_only
from scorers.device import Device
from scorers.precision import to_int8

ENGINES: Final = ("float32", "bfloat16", "int8")
_HEADS: Final = ("pooler", "classifier")


class Engine:
    """Not safe for several threads at once. Each prompt's probabilities are its own, whatever its batch (to rounding)."""

    def __init__(self, classifier: Classifier, engine: str, device: Device) -> None:
        """`engine` is one that was chosen, so not `auto`.

        The model is changed in place; what turns the hidden states into classes stays float32.
        """
        self._padding_id = classifier.padding_id
        self._longest = classifier.window.max_tokens
        self._device = device
        read_first_token_only(classifier.model)
        dtype = torch.float32 if engine == "int8" else getattr(torch, engine)
        self._model: Any = classifier.model.to(device=device.name, dtype=dtype)
        if engine == "int8":
            to_int8(self._model, keep=_HEADS)
        for name, module in self._model.named_modules():
            if dtype != torch.float32 and name.rpartition(".")[2] in _HEADS:
                module.float().register_forward_pre_hook(_to_float32)
        self._run = device.recurring(self._probabilities)
        self._most_tokens = device.most_tokens(self._probe, self._longest)

    def probabilities(self, ids: Sequence[Sequence[int]], *, most: int = 32) -> NDArray[np.float32]:
        """(n, 3), a row for each prompt's token ids, in order; at most `most` go through the model together."""
        rows = np.empty((len(ids), 3), dtype=np.float32)
        lengths = [len(each) for each in ids]
        for batch in alike(lengths, most=most, fixed=self._device.fixed, most_tokens=self._most_tokens):
            rows[batch] = self._forward([ids[i] for i in batch])
        return rows

    def _forward(self, ids: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        shape = self._device.shape(len(ids), max(len(each) for each in ids), self._longest)
        tokens, mask = padded(ids, self._padding_id, shape)
        found: NDArray[np.float32] = self._run(self._device.put(tokens), self._device.put(mask))[: len(ids)].cpu().numpy()
        return found

    def _probe(self, rows: int, tokens: int) -> None:
        self._probabilities(*map(self._device.put, padded([[self._padding_id] * tokens] * rows, self._padding_id)))

    @torch.inference_mode()
    def _probabilities(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self._model(input_ids=tokens, attention_mask=mask).logits.float(), dim=-1)


def _to_float32(module: torch.nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(each.float() if isinstance(each, torch.Tensor) else each for each in arguments)
