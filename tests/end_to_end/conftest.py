"""One product for all end-to-end tests: real Ray, a real embedder, real local LLMs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.otlp_receiver import Receiver, otlp_receiver
from tests.support.product import Product, free_ports, running_product


@pytest.fixture(scope="session")
def spans(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """A collector, to which the product sends its spans."""
    with otlp_receiver(tmp_path_factory.mktemp("spans"), free_ports(1)[0]) as receiver:
        yield receiver


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory, spans: Receiver) -> Iterator[Product]:
    """`pointsman up`, ready."""
    with running_product(tmp_path_factory.mktemp("product"), tracing={"otlp_endpoint": spans.endpoint}) as product:
        yield product
