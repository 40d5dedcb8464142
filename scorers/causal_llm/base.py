"""The base model as training needs it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from scorers.causal_llm.chat import ChatTokenizer, read_tokenizer
from scorers.causal_llm.config import chat_format
from scorers.causal_llm.llama import load_llama, read_llama_config
from scorers.causal_llm.model import PrefixedLlama
from scorers.causal_llm.smollm2 import BASE_ID, base_folder


@dataclass(frozen=True, slots=True)
class Base:
    """`trunk` is the frozen layers in bfloat16, without a final norm; `llama` has the layer after them as its last, in float32."""

    id: str
    sha256: str
    chat: ChatTokenizer
    trunk: PrefixedLlama
    llama: Any


def load_base(cache: Path, *, layers: int, system: str, max_tokens: int) -> Base:
    """Loads what `layers` layers need. Raises `CheckpointRefused`."""
    folder, sha256 = base_folder(cache)
    return base_of(folder, BASE_ID, sha256, layers=layers, system=system, max_tokens=max_tokens)


def base_of(folder: Path, base_id: str, sha256: str, *, layers: int, system: str, max_tokens: int) -> Base:
    """The same from any folder with a Llama and SmolLM2's chat tokens."""
    config = read_llama_config(folder)
    tokenizer = read_tokenizer(folder)
    chat = ChatTokenizer(tokenizer, chat_format(system), max_tokens)
    llama, _ = load_llama(folder, config, layers=layers, dtype=torch.float32)
    frozen, _ = load_llama(folder, config, layers=layers - 1, dtype=torch.bfloat16)
    frozen.norm = torch.nn.Identity()
    return Base(base_id, sha256, chat, PrefixedLlama(frozen, chat.prefix), llama)
