"""A checkpoint directory made into a classifier: of our own layout, or of RouteLLM's public one.

Ours has the tensors that training changed, over the packaged base. RouteLLM's is a whole model as `save_pretrained` writes it:
`config.json`, `model.safetensors` and `tokenizer.json`; whatever else lies beside them (an optimizer's state, say) is never opened.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModelForSequenceClassification
from transformers.utils import logging as transformers_logging

from scorers.bert.base import LABELS, base_folder, empty_model, load_base
from scorers.bert.config import BertConfig
from scorers.bert.weights import WEIGHTS, read_weights, require_exactly, shapes_of
from scorers.bert.window import Window
from scorers.checkpoint import read_config
from scorers.errors import CheckpointRefused, EmbedderMismatch
from scorers.hub import PUBLISHED, checkpoint_name
from scorers.router import ROUTELLM_PAIR, ModelPair

_PUBLISHED: Final = frozenset(checkpoint_name(repository) for repository in PUBLISHED)  # whose pair is known
_MAX_TOKENS: Final = 512  # what RouteLLM reads of a prompt
_POSITIONS_BEFORE_FIRST: Final = 2  # XLM-RoBERTa counts positions from its padding id + 1


@dataclass(frozen=True, slots=True)
class Classifier:
    """The model in float32, evaluation mode, and how it's fed."""

    model: Any
    window: Window
    padding_id: int
    version: str
    pair: ModelPair
    """Empty names where the directory doesn't say."""


def load_classifier(folder: Path, name: str | None = None) -> Classifier:
    """Reads either layout; `name` is what a checkpoint without one of its own is called, and is the folder's unless told.

    Raises `CheckpointRefused`, and `EmbedderMissing` where the base isn't installed.
    """
    transformers_logging.disable_progress_bar()
    return _load_ours(folder) if _is_ours(folder) else _load_public(folder, checkpoint_name(name or str(folder.resolve())))


def _is_ours(folder: Path) -> bool:
    return "format" in _json(folder / "config.json")


def _load_ours(folder: Path) -> Classifier:
    config = read_config(folder, BertConfig)
    model = empty_model(config.layers)
    if (found := load_base(model, config.replaced)) != config.base.sha256:
        raise EmbedderMismatch(
            f"The checkpoint {config.version} changes {config.base.id} with weights sha256:{config.base.sha256[:12]}, "
            f"and the weights here are sha256:{found[:12]}: its win rates would mean nothing; take those, or train again."
        )
    tensors, _ = read_weights(folder, sha256=config.weights_sha256)
    require_exactly(folder / WEIGHTS, tensors, shapes_of(model, lambda name: name.startswith(config.replaced)))
    model.load_state_dict(tensors, strict=False)
    window = Window(read_tokenizer(base_folder()), max_tokens=config.max_tokens, keeps="head and tail")
    return Classifier(model, window, int(model.config.pad_token_id), config.version, config.pair)


def _load_public(folder: Path, name: str) -> Classifier:
    described = _json(folder / "config.json")
    if "auto_map" in described:
        raise CheckpointRefused(f"{folder / 'config.json'}: brings code of its own, and none is run.")
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)  # nosec B615  # local
        with torch.device("meta"):
            shapes = shapes_of(AutoModelForSequenceClassification.from_config(config))
    except (ValueError, KeyError, OSError) as error:
        raise CheckpointRefused(f"{folder / 'config.json'}: not a sequence classifier's: {error}.") from None
    if config.num_labels != LABELS:
        raise CheckpointRefused(f"{folder / 'config.json'}: {config.num_labels} labels, not {LABELS}.")
    tensors, sha256 = read_weights(folder)
    require_exactly(folder / WEIGHTS, tensors, shapes)
    model = AutoModelForSequenceClassification.from_config(config).eval()
    model.load_state_dict(tensors, strict=True)
    window = Window(read_tokenizer(folder), max_tokens=_public_window(folder, config), keeps="head")
    pair = ROUTELLM_PAIR if name in _PUBLISHED else ModelPair("", "")
    return Classifier(model, window, int(config.pad_token_id), f"{name}@sha256:{sha256[:12]}", pair)


def _public_window(folder: Path, config: Any) -> int:
    """The tokenizer's own limit, which RouteLLM truncates at, where the positions suffice for it."""
    file = folder / "tokenizer_config.json"
    told = _json(file).get("model_max_length", _MAX_TOKENS) if file.is_file() else _MAX_TOKENS
    positions = int(config.max_position_embeddings)
    if "roberta" in config.model_type:
        positions -= _POSITIONS_BEFORE_FIRST
    return int(min(told, _MAX_TOKENS, positions))


def read_tokenizer(folder: Path) -> Tokenizer:
    """`tokenizer.json`, whatever made it. Raises `CheckpointRefused`."""
    file = folder / "tokenizer.json"
    try:
        return Tokenizer.from_str(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointRefused(f"{file}: can't be read: {error.strerror}.") from None
    except Exception as error:  # noqa: BLE001 (the tokenizers library raises nothing narrower)
        raise CheckpointRefused(f"{file}: not a tokenizer: {error}.") from None


def _json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_bytes())
    except OSError as error:
        raise CheckpointRefused(f"{file}: can't be read: {error.strerror}.") from None
    except ValueError as error:
        raise CheckpointRefused(f"{file}: not JSON: {error}.") from None
    if not isinstance(content, dict):
        raise CheckpointRefused(f"{file}: not an object.")
    return content
