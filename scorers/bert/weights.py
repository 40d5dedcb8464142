"""Weights on disk: safetensors and nothing else, and exactly the tensors that the model has."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from scorers.errors import CheckpointRefused

WEIGHTS: Final = "model.safetensors"
_CONSTANTS: Final = "embeddings.position_ids"  # older versions of transformers wrote them: 0, 1, 2, …
_FLOATS: Final = (torch.float32, torch.float16, torch.bfloat16)
Shapes = Mapping[str, tuple[int, ...]]


def read_weights(folder: Path, *, sha256: str | None = None) -> tuple[dict[str, torch.Tensor], str]:
    """The tensors of `model.safetensors` as float32, and the file's sha256. Raises `CheckpointRefused`, as for another sha256."""
    file = folder / WEIGHTS
    try:
        with file.open("rb") as opened:
            found = hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise CheckpointRefused(f"{file}: can't be read: {error.strerror}; no other kind of weights is loaded.") from None
    if sha256 is not None and found != sha256:
        raise CheckpointRefused(
            f"{file}: not the file that config.json was written for (its sha256 differs); copy the checkpoint again, whole."
        )
    try:
        tensors: dict[str, torch.Tensor] = load_file(file)
    except (SafetensorError, ValueError) as error:
        raise CheckpointRefused(f"{file}: not a safetensors file: {error}.") from None
    kept = {name: tensor for name, tensor in tensors.items() if not name.endswith(_CONSTANTS)}
    for name, tensor in kept.items():
        if tensor.dtype not in _FLOATS:
            raise CheckpointRefused(f"{file}: {name} is {tensor.dtype}, not a float of 16 or 32 bits.")
        if not torch.isfinite(tensor).all():
            raise CheckpointRefused(f"{file}: {name} holds numbers that aren't finite.")
    return {name: tensor.float() for name, tensor in kept.items()}, found


def require_exactly(file: Path, tensors: Mapping[str, torch.Tensor], shapes: Shapes) -> None:
    """Raises `CheckpointRefused` for a tensor that's missing, doesn't belong, or has another shape."""
    if missing := sorted(shapes.keys() - tensors.keys()):
        raise CheckpointRefused(f"{file}: tensors missing: {_some(missing)}.")
    if extra := sorted(tensors.keys() - shapes.keys()):
        raise CheckpointRefused(f"{file}: tensors that don't belong: {_some(extra)}.")
    for name, shape in shapes.items():
        if tuple(tensors[name].shape) != shape:
            raise CheckpointRefused(f"{file}: {name} is {list(tensors[name].shape)}, not {list(shape)}.")


def shapes_of(model: torch.nn.Module, belongs: Callable[[str], bool] = lambda _: True) -> Shapes:
    """Shapes of the state dict's tensors, of those that belong."""
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items() if belongs(name)}


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
