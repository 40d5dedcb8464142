"""Runs the classifier over batches of alike length, in float32 or, where the processor computes it itself, in bfloat16."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from scorers.bert.classifier import Classifier
from scorers.bert.first_token import read_first_token_only
from scorers.errors import InvalidOptions

EngineName = Literal["auto", "float32", "bfloat16"]
ENGINES: Final[tuple[str, ...]] = get_args(EngineName)
_MOST_PADDING: Final = 1.25  # longest over shortest of one batch
_HEADS: Final = ("pooler", "classifier")


def chosen_dtype(engine: str, *, cuda: bool) -> torch.dtype:
    """`auto` is float16 on CUDA (not measured), else bfloat16 where the processor has it, else float32. Raises `InvalidOptions`."""
    if engine not in ENGINES:
        raise InvalidOptions(f"strategies.bert.options.engine: {engine!r} isn't an engine; there are: {', '.join(ENGINES)}.")
    if engine == "float32":
        return torch.float32
    if cuda:
        return torch.float16 if engine == "auto" else torch.bfloat16
    if engine == "bfloat16" and not has_bfloat16():
        raise InvalidOptions("strategies.bert.options.engine: this processor has no bfloat16 arithmetic; float32 is faster and exact.")
    return torch.bfloat16 if has_bfloat16() else torch.float32


def has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 in hardware; emulated, it would be slower than float32."""
    found = torch.cpu.get_capabilities()
    return bool(found.get("amx_bf16") or found.get("avx512_bf16"))


class Engine:
    """Not safe for several threads at once. Each prompt's probabilities are its own, whatever its batch (to rounding)."""

    def __init__(self, classifier: Classifier, dtype: torch.dtype, device: str) -> None:
        """The model is changed in place; what turns the hidden states into classes stays float32."""
        self._padding_id = classifier.padding_id
        self._device = device
        read_first_token_only(classifier.model)
        self._model: Any = classifier.model.to(device=device, dtype=dtype)
        for name, module in self._model.named_modules():
            if dtype != torch.float32 and name.rpartition(".")[2] in _HEADS:
                module.float().register_forward_pre_hook(_to_float32)

    def probabilities(self, ids: Sequence[Sequence[int]], *, most: int = 32) -> NDArray[np.float32]:
        """(n, 3), a row for each prompt's token ids, in order; at most `most` go through the model together."""
        rows = np.empty((len(ids), 3), dtype=np.float32)
        for batch in batches([len(each) for each in ids], most):
            rows[batch] = self._forward([ids[i] for i in batch])
        return rows

    @torch.inference_mode()
    def _forward(self, ids: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        tokens, mask = padded(ids, self._padding_id)
        logits = self._model(input_ids=tokens.to(self._device), attention_mask=mask.to(self._device)).logits
        found: NDArray[np.float32] = torch.softmax(logits.float(), dim=-1).cpu().numpy()
        return found


def batches(lengths: Sequence[int], most: int) -> Iterator[list[int]]:
    """Indices of prompts that go together: sorted by length, so that little is computed for padding."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) == most or lengths[index] > _MOST_PADDING * lengths[batch[0]] + 4):
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def padded(ids: Sequence[Sequence[int]], padding_id: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and mask, both (n, longest)."""
    longest = max(len(each) for each in ids)
    tokens = torch.tensor([[*each, *[padding_id] * (longest - len(each))] for each in ids])
    mask = torch.tensor([[1] * len(each) + [0] * (longest - len(each)) for each in ids])
    return tokens, mask


def _to_float32(module: torch.nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(each.float() if isinstance(each, torch.Tensor) else each for each in arguments)
