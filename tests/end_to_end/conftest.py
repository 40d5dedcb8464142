"""One product for all end-to-end tests: real Ray, a real embedder, real local LLMs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.product import Product, running_product


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """`pointsman up`, ready."""
    with running_product(tmp_path_factory.mktemp("product")) as product:
        yield product
