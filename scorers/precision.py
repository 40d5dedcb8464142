"""What a model is computed in: an engine by its name, and linear layers of int8. Heads, scores and softmax are float32 in all of them."""

from __future__ import annotations

import warnings
from collections.abc import Container, Sequence
from typing import Any, Final

import torch

from scorers.errors import InvalidOptions

_SMALLEST: Final = 1e-12
_STEPS: Final = 127  # of int8, on either side of zero


def chosen_engine(strategy: str, engine: str, *, known: Sequence[str], cuda: bool, on_cuda: str = "float16") -> str:
    """`float32`, `float16`, `bfloat16` or `int8`, for one of `known` or `auto`.

    `auto` is `on_cuda` on CUDA (not measured); else the first that is known and that the processor computes itself of bfloat16, int8 and
    float32, the fastest first. Raises `InvalidOptions` for an engine that isn't known or that this machine lacks.
    """
    option = f"strategies.{strategy}.options.engine"
    if engine != "auto" and engine not in known:
        raise InvalidOptions(f"{option}: {engine!r} isn't an engine; there are: {', '.join(['auto', *known])}.")
    if cuda and engine == "int8":
        raise InvalidOptions(f"{option}: int8 is for processors; on CUDA auto takes {on_cuda}.")
    if cuda:
        return on_cuda if engine == "auto" else engine
    there = {"bfloat16": has_bfloat16(), "int8": has_int8(), "float32": True}
    if engine == "auto":
        return next(name for name, found in there.items() if found and name in known)
    if not there[engine]:
        raise InvalidOptions(f"{option}: this processor has no {engine} arithmetic; float32 is faster and exact.")
    return engine


def has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 in hardware; emulated, it would be slower than float32."""
    found = torch.cpu.get_capabilities()
    return bool(found.get("amx_bf16") or found.get("avx512_bf16"))


def has_int8() -> bool:
    """Whether the processor sums products of int8 in hardware (VNNI); without, intermediate sums would saturate."""
    found = torch.cpu.get_capabilities()
    return bool(found.get("avx512_vnni") or found.get("avx_vnni"))


class Int8Linear(torch.nn.Module):
    """A linear layer between float32 tensors: int8 weights with a scale for each output, inputs rounded to 8 bits row by row."""

    def __init__(self, layer: torch.nn.Linear) -> None:
        super().__init__()
        weight = layer.weight.detach().float().contiguous()
        scales = weight.abs().amax(1).clamp_min(_SMALLEST).double() / _STEPS
        with warnings.catch_warnings():  # quantised tensors are deprecated, but the kernel takes its weights in no other form
            warnings.simplefilter("ignore")
            rounded = torch.quantize_per_channel(weight, scales, torch.zeros(len(weight), dtype=torch.int64), 0, torch.qint8)
        self._packed: Any = torch.ops.quantized.linear_prepack(rounded, None)
        self._bias = None if layer.bias is None else layer.bias.detach().float().clone()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., outputs), from (..., inputs). Rows are first brought to one largest value, so that none has another's scale."""
        largest = torch.linalg.vector_norm(x, torch.inf, dim=-1, keepdim=True).clamp_min_(_SMALLEST)
        found: torch.Tensor = torch.ops.quantized.linear_dynamic(x / largest, self._packed).mul_(largest)
        return found if self._bias is None else found.add_(self._bias)


def to_int8(model: torch.nn.Module, *, keep: Container[str]) -> None:
    """Replaces the model's linear layers in place, except in the submodules that are named in `keep`."""
    for name, child in model.named_children():
        if name in keep:
            continue
        if isinstance(child, torch.nn.Linear):
            setattr(model, name, Int8Linear(child))
        else:
            to_int8(child, keep=keep)
