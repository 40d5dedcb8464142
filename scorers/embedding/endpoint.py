"""Embeddings from an OpenAI-compatible HTTP endpoint, such as text-embedding-3-small for RouteLLM's own checkpoints.

Runs in the model's thread, so it blocks there and nowhere else. httpx's exceptions are translated here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import httpx
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, StringConstraints
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from pointsman.runtime.settings_file import read_secret
from pointsman.runtime.settings_part import Part
from scorers.embedding.embedder import Embeddings
from scorers.errors import EmbeddingFailed

_RETRIED: Final = frozenset({408, 409, 429, 500, 502, 503, 504})
_CHARS_PER_TEXT: Final = 24_000  # below 8,191 tokens for most texts; a longer one's head is embedded


def endpoint_sha256(model: str, dim: int) -> str:
    """What stands for the hash of an endpoint's weights."""
    return hashlib.sha256(f"endpoint\0{model}\0{dim}".encode()).hexdigest()


class EndpointOptions(Part):
    """The strategy's `options.embedder`."""

    base_url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+$")]
    """Up to and including `/v1`."""
    model: Annotated[str, StringConstraints(min_length=1)]
    dim: Annotated[int, Field(ge=1, le=16_384)]
    """Length of the vectors it answers with."""
    key_env: str | None = None
    key_file: Path | None = None
    timeout_s: Annotated[float, Field(gt=0)] = 10
    batch: Annotated[int, Field(ge=1, le=2048)] = 128
    """Texts in one request."""
    tries: Annotated[int, Field(ge=1, le=10)] = 3


class _Again(Exception):
    """A failure that another try may mend."""


class EndpointEmbedder:
    """`Embedder` over HTTP; one client for the life of the process. Its sha256 is of endpoint model and dimensions: an API has no
    weights to hash, and its owner may change them unsaid."""

    def __init__(self, options: EndpointOptions) -> None:
        self._options = options
        self._client = httpx.Client(timeout=options.timeout_s, trust_env=False)
        self._retrying = Retrying(
            retry=retry_if_exception_type(_Again),
            wait=wait_random_exponential(multiplier=0.1, max=2),
            stop=stop_after_attempt(options.tries),
            reraise=True,
        )

    @property
    def id(self) -> str:
        """See `Embedder`."""
        return self._options.model

    @property
    def sha256(self) -> str:
        """See the class."""
        return endpoint_sha256(self._options.model, self._options.dim)

    @property
    def dim(self) -> int:
        """See `Embedder`."""
        return self._options.dim

    def embed(self, texts: Sequence[str], progress: Callable[[int], None] | None = None) -> Embeddings:
        """See `Embedder`. Raises `EmbeddingFailed` after the last try."""
        # An API refuses an empty input, and newlines are text like any other.
        heads = [text[:_CHARS_PER_TEXT] or " " for text in texts]
        vectors = np.empty((len(texts), self.dim), dtype=np.float32)
        for start in range(0, len(heads), self._options.batch):
            batch = heads[start : start + self._options.batch]
            try:
                vectors[start : start + len(batch)] = self._retrying(self._request, batch)
            except _Again as error:
                raise EmbeddingFailed(f"The embedding endpoint failed {self._options.tries} times; the last time {error}.") from None
            if progress:
                progress(start + len(batch))
        return Embeddings(vectors, [len(text) > _CHARS_PER_TEXT for text in texts])

    def _request(self, texts: list[str]) -> NDArray[np.float32]:
        key = read_secret(self._options.key_env, self._options.key_file, "options.embedder.key")
        headers = {"authorization": f"Bearer {key}"} if key else {}
        try:
            url = f"{self._options.base_url.rstrip('/')}/embeddings"
            response = self._client.post(url, json={"model": self._options.model, "input": texts}, headers=headers)
        except httpx.HTTPError as error:
            raise _Again(f"by {type(error).__name__}") from None
        if response.status_code in _RETRIED:
            raise _Again(f"with status {response.status_code}")
        if response.status_code != 200:
            raise EmbeddingFailed(f"The embedding endpoint answered {response.status_code}; are its base_url, model and key right?")
        return self._vectors(response, len(texts))

    def _vectors(self, response: httpx.Response, count: int) -> NDArray[np.float32]:
        """Rows in the order of their `index`, whatever order they came in."""
        try:
            rows: list[Any] = sorted(response.json()["data"], key=lambda row: row["index"])
            vectors = np.array([row["embedding"] for row in rows], dtype=np.float32)
        except (ValueError, KeyError, TypeError):
            raise EmbeddingFailed("The embedding endpoint's answer is not a list of embeddings; is its base_url right?") from None
        if vectors.shape != (count, self.dim) or not np.isfinite(vectors).all():
            raise EmbeddingFailed(
                f"The embedding endpoint answered {list(vectors.shape)} numbers, not {[count, self.dim]} finite ones; is its dim right?"
            )
        return vectors
