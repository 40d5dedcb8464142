"""RouteLLM's layout of a causal_llm checkpoint: a fine-tuned Llama 3 with five more tokens, and its two prompt files.

The tokenizer isn't in it (Llama's is gated), so the settings name a directory that has one.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Final

import torch

from scorers.causal_llm.chat import SCORES, ChatFormat, ChatTokenizer, read_tokenizer, require_control, with_scores
from scorers.causal_llm.llama import load_llama, read_llama_config
from scorers.errors import CheckpointRefused

MAX_TOKENS: Final = 2048  # what RouteLLM trained with
_SYSTEM: Final = "system_ft_v5.txt"
_QUESTION: Final = "classifier_ft_v5.txt"
_CONTROL: Final = ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", *SCORES)


def load_routellm(folder: Path, tokenizer_folder: Path, max_tokens: int, dtype: torch.dtype) -> tuple[Any, torch.Tensor, ChatTokenizer]:
    """The `LlamaModel`, the score tokens' rows of its head, and the chat's tokenizer. Raises `CheckpointRefused`."""
    tokenizer = read_tokenizer(tokenizer_folder)
    scores = with_scores(tokenizer)
    require_control(tokenizer, _CONTROL)
    config = read_llama_config(folder)
    if tokenizer.get_vocab_size() != config.vocab_size or scores != list(range(config.vocab_size - 5, config.vocab_size)):
        raise CheckpointRefused(
            f"{tokenizer_folder}: with the five score tokens it has {tokenizer.get_vocab_size()} tokens, and the model of {folder} has "
            f"{config.vocab_size}, of which the last five are the scores: not its tokenizer."
        )
    chat = ChatTokenizer(tokenizer, chat_format(folder), max_tokens)
    llama, head = load_llama(folder, config, layers=config.num_hidden_layers, dtype=dtype)
    return llama, head[scores].clone(), chat


def chat_format(folder: Path) -> ChatFormat:
    """Llama 3's chat format around the directory's two prompt files, each message stripped as RouteLLM does it.

    What the fine-tuned model would say first, the assistant's header, is given to it.
    """
    before, placeholder, after = _text(folder / _QUESTION).strip().partition("{question}")
    if not placeholder or "{question}" in after:
        raise CheckpointRefused(f"{folder / _QUESTION}: {{question}} must stand in it once.")
    return ChatFormat(
        prefix=f"<|begin_of_text|>{_header('system')}\n\n{_text(folder / _SYSTEM).strip()}<|eot_id|>{_header('user')}",
        opening=f"\n\n{before}",
        closing=after,
        suffix=f"<|eot_id|>{_header('assistant')}\n\n",
    )


def version(folder: Path, name: str) -> str:
    """`name@sha256:12 hex digits`, over the weights' files in the order of their names."""
    digest = hashlib.sha256()
    for file in sorted(folder.glob("model*.safetensors")):
        with file.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return f"{name}@sha256:{digest.hexdigest()[:12]}"


def _header(role: str) -> str:
    return f"<|start_header_id|>{role}<|end_header_id|>"


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise CheckpointRefused(f"{file}: can't be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise CheckpointRefused(f"{file}: not UTF-8.") from None
