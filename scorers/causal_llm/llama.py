"""Loads a Llama from a directory: its `config.json` and safetensors, one file or shards, strictly. No code of the directory's is run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from transformers import LlamaConfig, LlamaModel
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from scorers.errors import CheckpointRefused

HEAD: Final = "lm_head.weight"
_SINGLE: Final = "model.safetensors"
_INDEX: Final = "model.safetensors.index.json"
_FLOATS: Final = (torch.float32, torch.bfloat16, torch.float16)


def read_llama_config(folder: Path) -> Any:
    """The `LlamaConfig`. Raises `CheckpointRefused` where it's missing or another model's."""
    content = _read_json(folder / "config.json")
    if content.get("model_type") != "llama":
        raise CheckpointRefused(f"{folder / 'config.json'}: model_type is {content.get('model_type')!r}, not 'llama'.")
    return LlamaConfig.from_dict({key: value for key, value in content.items() if key not in ("auto_map", "quantization_config")})


def load_llama(folder: Path, config: Any, *, layers: int, dtype: torch.dtype) -> tuple[Any, torch.Tensor]:
    """The first `layers` layers as a `LlamaModel` in evaluation mode, and the rows (vocabulary, hidden) of its output head.

    Every tensor of the whole model must be there and no other, of the right shape, finite. Raises `CheckpointRefused`.
    """
    files = _files(folder)
    _check_keys(folder, files, _expected(config))
    if layers > config.num_hidden_layers:
        raise CheckpointRefused(f"{folder}: {layers} layers are needed, and there are {config.num_hidden_layers}.")
    part = LlamaConfig.from_dict({**config.to_dict(), "num_hidden_layers": layers})
    with torch.device("meta"):
        model = LlamaModel(part)
    shapes = {f"model.{name}": tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    if HEAD in files:
        shapes[HEAD] = (config.vocab_size, config.hidden_size)
    tensors = _read(files, shapes, dtype)
    head = tensors.pop(HEAD, tensors["model.embed_tokens.weight"])
    model.load_state_dict({name.removeprefix("model."): tensor for name, tensor in tensors.items()}, strict=True, assign=True)
    model.rotary_emb = LlamaRotaryEmbedding(config=part)  # not among the tensors, so still without numbers
    return model.requires_grad_(False).eval(), head


def _expected(config: Any) -> set[str]:
    with torch.device("meta"):
        names = {f"model.{name}" for name in LlamaModel(config).state_dict()}
    return names if config.tie_word_embeddings else names | {HEAD}


def _files(folder: Path) -> dict[str, Path]:
    """Which file has which tensor."""
    if not (folder / _INDEX).is_file():
        return dict.fromkeys(_keys(folder / _SINGLE), folder / _SINGLE)
    index = _read_json(folder / _INDEX).get("weight_map")
    if not isinstance(index, dict) or not all(isinstance(name, str) and Path(name).name == name for name in index.values()):
        raise CheckpointRefused(f"{folder / _INDEX}: weight_map must name files of this directory.")
    files: dict[str, Path] = {}
    for name in sorted(set(index.values())):
        files |= dict.fromkeys(_keys(folder / name), folder / name)
    if files != {key: folder / name for key, name in index.items()}:
        raise CheckpointRefused(f"{folder / _INDEX}: the shards don't hold the tensors that it lists.")
    return files


def _keys(file: Path) -> list[str]:
    try:
        with safe_open(file, framework="pt") as opened:
            return list(opened.keys())
    except OSError:
        raise CheckpointRefused(f"{file}: can't be read.") from None
    except SafetensorError as error:
        raise CheckpointRefused(f"{file}: not a safetensors file: {error}.") from None


def _check_keys(folder: Path, files: Mapping[str, Path], expected: set[str]) -> None:
    if missing := sorted(expected - files.keys()):
        raise CheckpointRefused(f"{folder}: tensors missing: {', '.join(missing[:5])}.")
    if extra := sorted(files.keys() - expected):
        raise CheckpointRefused(f"{folder}: tensors that don't belong: {', '.join(extra[:5])}.")


def _read(files: Mapping[str, Path], shapes: Mapping[str, tuple[int, ...]], dtype: torch.dtype) -> dict[str, torch.Tensor]:
    tensors: dict[str, torch.Tensor] = {}
    for file in sorted({files[key] for key in shapes}):
        with safe_open(file, framework="pt") as opened:
            for key in (key for key in shapes if files[key] == file):
                tensor: torch.Tensor = opened.get_tensor(key)
                if tuple(tensor.shape) != shapes[key]:
                    raise CheckpointRefused(f"{file}: {key} is {list(tensor.shape)}, not {list(shapes[key])}.")
                if tensor.dtype not in _FLOATS or not bool(torch.isfinite(tensor).all()):
                    raise CheckpointRefused(f"{file}: {key} holds something else than finite floating-point numbers.")
                tensors[key] = tensor.to(dtype)
    return tensors


def _read_json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_bytes())
    except OSError as error:
        raise CheckpointRefused(f"{file}: can't be read: {error.strerror}.") from None
    except ValueError:
        raise CheckpointRefused(f"{file}: not JSON.") from None
    if not isinstance(content, dict):
        raise CheckpointRefused(f"{file}: not a JSON object.")
    return content
