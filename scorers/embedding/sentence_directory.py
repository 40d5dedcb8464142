"""An encoder from a directory as sentence-transformers writes it: `modules.json` lists a transformer, its pooling and what follows.

Only safetensors are read, and no code of the directory's is run.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Final

import torch
from pydantic import Field
from safetensors import SafetensorError
from safetensors.torch import load_file

from pointsman.runtime.settings_part import Part
from scorers.device import CPU, Device
from scorers.embedding.encoder import EncoderEmbedder, EncoderParts, Pooling, UnitLength, load_encoder, load_tokenizer
from scorers.errors import CheckpointRefused

_POOLINGS: Final[dict[str, Pooling]] = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
}
_ACTIVATIONS: Final = {"Tanh": torch.nn.Tanh, "Identity": torch.nn.Identity, "ReLU": torch.nn.ReLU, "GELU": torch.nn.GELU}
_LONGEST: Final = 8192


class DirectoryOptions(Part):
    """The strategy's `options.embedder` where it's a directory."""

    path: Path
    id: str | None = Field(default=None, min_length=1, max_length=128)
    """The name that a checkpoint knows it by; null is the directory's own."""


class DirectoryEmbedder(EncoderEmbedder):
    """Its sha256 is over every file that decides what it says: weights, tokenizer and configs."""

    def __init__(self, options: DirectoryOptions, *, threads: int | None = None, device: Device = CPU) -> None:
        """See `EncoderEmbedder`. Raises `CheckpointRefused` for a directory that isn't one, or has a module that isn't known here."""
        folder = options.path.expanduser()
        modules = [(module["type"].rpartition(".")[2], folder / module["path"]) for module in _modules(folder)]
        if [kind for kind, _ in modules[:2]] != ["Transformer", "Pooling"]:
            raise CheckpointRefused(f"{folder / 'modules.json'}: a Transformer and then its Pooling are needed.")
        transformer, pooling = modules[0][1], modules[1][1]
        described = _json(transformer / "config.json")
        if "auto_map" in described:
            raise CheckpointRefused(f"{transformer / 'config.json'}: brings code of its own, and none is run.")
        read = _json(transformer / "sentence_bert_config.json", default={})
        max_tokens = min(int(read.get("max_seq_length") or described.get("max_position_embeddings", 512)), _LONGEST)
        model = load_encoder(transformer)
        after, dim = _after(modules[2:], int(model.config.hidden_size))
        parts = EncoderParts(
            load_tokenizer(transformer, max_tokens),
            model,
            max_tokens,
            _pooling(pooling / "config.json"),
            after,
            dim,
            lower_case=bool(read.get("do_lower_case", False)),
            prefix=_prefix(folder),
        )
        super().__init__(options.id or folder.resolve().name, _sha256(folder, modules), parts, threads=threads, device=device)


def _modules(folder: Path) -> list[dict[str, str]]:
    modules = _json(folder / "modules.json")
    if not isinstance(modules, list) or not all(isinstance(m, dict) and {"type", "path"} <= m.keys() for m in modules):
        raise CheckpointRefused(f"{folder / 'modules.json'}: not a list of modules.")
    return modules


def _pooling(file: Path) -> Pooling:
    content = _json(file)
    named = [content["pooling_mode"]] if isinstance(content.get("pooling_mode"), str) else []
    chosen = named or [pooling for key, pooling in _POOLINGS.items() if content.get(key)]
    others = [key for key, value in content.items() if key.startswith("pooling_mode_") and value and key not in _POOLINGS]
    if len(chosen) != 1 or chosen[0] not in _POOLINGS.values() or others:
        raise CheckpointRefused(f"{file}: one of mean, cls and max is needed, and nothing beside it.")
    found: Pooling = chosen[0]
    return found


def _after(modules: list[tuple[str, Path]], dim: int) -> tuple[torch.nn.Module, int]:
    steps: list[torch.nn.Module] = []
    for kind, folder in modules:
        if kind == "Normalize":
            steps.append(UnitLength())
        elif kind == "Dense":
            linear, activation = _dense(folder, dim)
            steps += [linear, activation]
            dim = linear.out_features
        else:
            raise CheckpointRefused(f"{folder}: a module of type {kind} isn't known here.")
    return torch.nn.Sequential(*steps).eval(), dim


def _dense(folder: Path, dim: int) -> tuple[torch.nn.Linear, torch.nn.Module]:
    config = _json(folder / "config.json")
    activation = str(config.get("activation_function", "Tanh")).rpartition(".")[2]
    if config.get("in_features") != dim or activation not in _ACTIVATIONS:
        raise CheckpointRefused(f"{folder / 'config.json'}: {dim} features and one of {', '.join(_ACTIVATIONS)} are needed.")
    linear = torch.nn.Linear(dim, int(config["out_features"]), bias=bool(config.get("bias", True)))
    try:
        weights = load_file(folder / "model.safetensors")
        linear.load_state_dict({name.removeprefix("linear."): tensor.float() for name, tensor in weights.items()}, strict=True)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise CheckpointRefused(f"{folder / 'model.safetensors'}: not this layer's weights: {str(error).splitlines()[0]}") from None
    return linear, _ACTIVATIONS[activation]()


def _prefix(folder: Path) -> str:
    """What sentence-transformers puts before every text by default."""
    content = _json(folder / "config_sentence_transformers.json", default={})
    name = content.get("default_prompt_name")
    return str(content.get("prompts", {}).get(name, "")) if name else ""


def _sha256(folder: Path, modules: list[tuple[str, Path]]) -> str:
    digest = hashlib.sha256()
    files = {folder / "modules.json", folder / "config_sentence_transformers.json"}
    for _, part in modules:
        files |= {*part.glob("*.safetensors"), part / "config.json", part / "tokenizer.json", part / "sentence_bert_config.json"}
    for file in sorted(file for file in files if file.is_file()):
        with file.open("rb") as opened:
            digest.update(f"{file.relative_to(folder)}\0{hashlib.file_digest(opened, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()


def _json(file: Path, default: Any = None) -> Any:
    try:
        return json.loads(file.read_bytes())
    except FileNotFoundError:
        if default is not None:
            return default
        raise CheckpointRefused(f"{file}: isn't there.") from None
    except (OSError, ValueError) as error:
        raise CheckpointRefused(f"{file}: can't be read: {error}.") from None
