"""The cache of embeddings."""

from __future__ import annotations

import numpy as np
import pytest

from pointsman.runtime.settings import StrategySettings
from scorers.embedding.caching import CachingEmbedder
from scorers.embedding.hashing import HashingEmbedder
from scorers.embedding.options import embedder_for
from scorers.errors import InvalidOptions


def test_a_cached_text_has_the_same_vector_and_costs_nothing() -> None:
    """In its place, however often and in whatever batch it comes."""
    plain, cached = HashingEmbedder(), CachingEmbedder(HashingEmbedder(), 8)
    found = []
    for batch in (["a", "b", "a"], ["c", "b"], [], ["a" * 9, "c", "a"]):
        found.append(cached.embed(batch))
        assert np.array_equal(found[-1].vectors, plain.embed(batch).vectors)
        assert cached.embed(batch).truncated == plain.embed(batch).truncated
    assert [each.cached for each in found] == [[False] * 3, [False, True], [], [False, True, True]]


def test_the_least_recent_text_is_forgotten() -> None:
    """The cache never holds more than it may, also after a batch larger than itself."""
    cached = CachingEmbedder(HashingEmbedder(), 2)
    cached.embed(["a", "b"])
    cached.embed(["a"])
    cached.embed(["c"])
    assert cached.embed(["a", "b"]).cached == [True, False]
    assert cached.embed([str(n) for n in range(9)]).vectors.shape == (9, 384)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"embedding_cache": -1}, "options.embedding_cache: a whole number"),
        ({"embedding_cache": True}, "options.embedding_cache: a whole number"),
        ({"embedder": {"base_url": "http://x/v1", "model": "m"}}, "options.embedder.dim: Field required"),
        ({"embedder": {"base_url": "x", "model": "m", "dim": 3}}, "options.embedder.base_url"),
        ({"embedder": 5}, "options.embedder"),
    ],
)
def test_wrong_options_are_named(options: dict[str, object], said: str) -> None:
    """Strategy, option, and what would be right."""
    with pytest.raises(InvalidOptions, match=said):
        embedder_for("mf", "hashing-384", StrategySettings(options=options))


def test_the_cache_can_be_switched_off() -> None:
    """Zero texts."""
    assert isinstance(embedder_for("mf", "hashing-384", StrategySettings(options={"embedding_cache": 0})), HashingEmbedder)
    assert isinstance(embedder_for("mf", "hashing-384", StrategySettings()), CachingEmbedder)
