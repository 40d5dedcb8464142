"""Ray's processes die under `pointsman up`: who can't be scored goes strong, and scoring comes back by itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager

import pytest

from tests.support.faults.bars import check
from tests.support.faults.measure import Row, load, under_load
from tests.support.faults.specs import backend_settings
from tests.support.product import ROOT, Product, free_ports, running_product
from tests.support.unrefused import UNREFUSED


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """`pointsman up` with Ray, random and mf, before two backends in processes of their own."""
    strong, weak, tell_strong, tell_weak = free_ports(4)
    command = [sys.executable, "-m", "tests.support.faults.backend"]
    backends = [subprocess.Popen([*command, str(port), str(tell)], cwd=ROOT) for port, tell in ((strong, tell_strong), (weak, tell_weak))]
    try:
        settings = backend_settings(strong, weak)
        # What is asked is whether everybody is answered: a machine that is busy with Ray's start refuses some by lag.
        settings |= {"gateway": UNREFUSED, "controller": {**settings.get("controller", {}), **UNREFUSED}}
        with running_product(tmp_path_factory.mktemp("product"), strategies={"random": {}, "mf": {}}, **settings) as product:
            yield product
    finally:
        for backend in backends:
            backend.kill()
            backend.wait()


def _pids(product: Product) -> Mapping[str, Sequence[int]]:
    return {"gateway": product.pids("-m gateway"), "controllers": product.pids("-m controller")}


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("fault", "words"),
    [("scorer replica killed", ("ServeReplica:mf",)), ("Ray head killed", ("gcs_server",))],
)
async def test_what_cannot_be_scored_goes_strong_until_ray_is_back(
    product: Product, rows: list[Row], fault: str, words: tuple[str, ...]
) -> None:
    """Every request is answered, and none waits for longer than scoring may take of its deadline."""

    @asynccontextmanager
    async def dead() -> AsyncIterator[None]:
        (pid,) = product.pids(*words)
        os.kill(pid, signal.SIGKILL)
        yield

    running = load(product.rest, product.grpc)
    row = await under_load(fault, dead(), lambda: _pids(product), running, heals_itself=True, give_up_s=240)
    rows.append(row)
    check(row, set(), strong_too=True)
    assert not row.sums.errors
    assert row.sums.answers.keys() <= {"comparison", "scorer_timeout", "scorer_error", "scorer_not_ready"}
