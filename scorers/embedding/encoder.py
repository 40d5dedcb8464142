"""Runs a text encoder: batches of alike length, tokens pooled to one vector a text. torch; float32, except on CUDA."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer
from transformers import AutoModel
from transformers.utils import logging as transformers_logging

from scorers.batching import alike, padded
from scorers.device import CPU, Device
from scorers.embedding.embedder import Embeddings
from scorers.errors import CheckpointRefused

Pooling = Literal["mean", "cls", "max"]
_MAX_CHARACTERS: Final = 1 << 16
_BATCH: Final = 32


@dataclass(frozen=True, slots=True)
class EncoderParts:
    """What an encoder is made of. `after` turns pooled vectors (n, hidden size) into embeddings (n, dim)."""

    tokenizer: Tokenizer
    model: Any
    max_tokens: int
    pooling: Pooling
    after: torch.nn.Module
    dim: int
    lower_case: bool = False
    prefix: str = ""


def load_encoder(folder: Path, *, layers: int | None = None) -> Any:
    """The folder's model in float32, evaluation mode; `layers` keeps the first ones alone. Raises `CheckpointRefused`."""
    transformers_logging.disable_progress_bar()
    fewer = {} if layers is None else {"num_hidden_layers": layers}
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()  # of the layers that are left out
    try:
        model = AutoModel.from_pretrained(  # nosec B615  # a local folder
            folder, local_files_only=True, trust_remote_code=False, use_safetensors=True, dtype=torch.float32, **fewer
        )
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointRefused(f"{folder}: not an encoder with safetensors weights: {str(error).splitlines()[0]}") from None
    finally:
        transformers_logging.set_verbosity(verbosity)
    return model.eval()


def load_tokenizer(folder: Path, max_tokens: int) -> Tokenizer:
    """The folder's `tokenizer.json`, which cuts texts at `max_tokens`. Raises `CheckpointRefused`."""
    try:
        tokenizer: Tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # noqa: BLE001 (the tokenizers library raises nothing narrower)
        raise CheckpointRefused(f"{folder / 'tokenizer.json'}: can't be read: {error}.") from None
    tokenizer.enable_truncation(max_tokens)
    tokenizer.no_padding()
    return tokenizer


class EncoderEmbedder:
    """`Embedder` over an encoder; reads the head of a text that's longer than its window."""

    def __init__(self, embedder_id: str, sha256: str, parts: EncoderParts, *, threads: int | None = None, device: Device = CPU) -> None:
        """`threads` is torch's for the whole process. On CUDA the encoder is of float16, and what follows it of float32."""
        if threads is not None:
            torch.set_num_threads(threads)
        self._id = embedder_id
        self._sha256 = sha256
        self._parts = parts
        self._device = device
        self._model = parts.model.to(device=device.name, dtype=torch.float16 if device.is_cuda else torch.float32)
        self._after = parts.after.to(device.name)
        self._run = device.recurring(self._embeddings)
        self._most_tokens = device.most_tokens(self._probe, parts.max_tokens)

    @property
    def id(self) -> str:
        """See `Embedder`."""
        return self._id

    @property
    def sha256(self) -> str:
        """See `Embedder`."""
        return self._sha256

    @property
    def dim(self) -> int:
        """See `Embedder`."""
        return self._parts.dim

    def embed(self, texts: Sequence[str], progress: Callable[[int], None] | None = None) -> Embeddings:
        """See `Embedder`; alike lengths go together, so that little is computed for padding."""
        heads = [self._head(text) for text in texts]
        encodings: list[Encoding] = self._parts.tokenizer.encode_batch(heads)
        truncated = [bool(e.overflowing) or len(head) >= _MAX_CHARACTERS for e, head in zip(encodings, heads, strict=True)]
        vectors = np.empty((len(texts), self.dim), dtype=np.float32)
        done = 0
        lengths = [len(each.ids) for each in encodings]
        for rows in alike(lengths, most=_BATCH, fixed=self._device.fixed, most_tokens=self._most_tokens):
            vectors[rows] = self._forward([encodings[i].ids for i in rows])
            done += len(rows)
            if progress:
                progress(done)
        return Embeddings(vectors, truncated)

    def _forward(self, ids: list[list[int]]) -> NDArray[np.float32]:
        """(n, dim), from each text's token ids."""
        shape = self._device.shape(len(ids), max(len(each) for each in ids), self._parts.max_tokens)
        tokens, mask = padded(ids, self._model.config.pad_token_id or 0, shape)
        vectors: NDArray[np.float32] = self._run(self._device.put(tokens), self._device.put(mask))[: len(ids)].cpu().numpy()
        return vectors

    def _probe(self, rows: int, tokens: int) -> None:
        self._embeddings(*map(self._device.put, padded([[0] * tokens] * rows, 0)))

    @torch.inference_mode()
    def _embeddings(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        hidden: torch.Tensor = self._model(input_ids=tokens, attention_mask=mask).last_hidden_state
        vectors: torch.Tensor = self._after(_pooled(hidden.float(), mask.unsqueeze(-1), self._parts.pooling))
        return vectors

    def _head(self, text: str) -> str:
        # No window needs more, and tokenising megabytes takes seconds. How wide a space is means nothing to these tokenizers.
        head = text if len(text) < _MAX_CHARACTERS else " ".join(text.split())[:_MAX_CHARACTERS]
        return self._parts.prefix + (head.lower() if self._parts.lower_case else head)


class UnitLength(torch.nn.Module):
    """L2-normalises each row."""

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """(n, dim) from (n, dim)."""
        return torch.nn.functional.normalize(vectors, dim=1)


def _pooled(hidden: torch.Tensor, mask: torch.Tensor, pooling: Pooling) -> torch.Tensor:
    """(n, hidden size), from hidden states (n, tokens, hidden size) and the mask (n, tokens, 1)."""
    if pooling == "cls":
        return hidden[:, 0]
    if pooling == "max":
        return hidden.masked_fill(mask == 0, -torch.inf).amax(1)
    return (hidden * mask).sum(1) / mask.sum(1)
