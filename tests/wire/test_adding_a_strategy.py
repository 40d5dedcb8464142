"""docs/adding-a-strategy.md, done as it says."""

from __future__ import annotations

import re
import sys
from functools import partial
from pathlib import Path

import pytest
import yaml

from pointsman.client import AsyncClient
from pointsman.runtime.settings import StrategySettings
from pointsman.v1 import routing_pb2
from scorers.bare import bare_scorers
from scorers.registry import ROUTERS, build_router
from scorers.scorer import Scorer
from tests.support.backend import echoing, scripted_backend
from tests.support.controllers import running_controller

_GUIDE = (Path(__file__).parents[2] / "docs/adding-a-strategy.md").read_text()


def _block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", _GUIDE, re.DOTALL)
    assert found
    return found[1]


async def test_one_class_and_one_line_are_a_strategy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guide's class and its registry line, served and routed by."""
    line = re.search(r'^    ("longest": "scorers\.(.*)",)$', _GUIDE, re.MULTILINE)
    assert line
    (tmp_path / "longest").mkdir()
    (tmp_path / "longest" / "router.py").write_text(_block("python"))
    # In a folder of the test's own, so the line's `scorers.` falls away.
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    routers = {**ROUTERS, "longest": line[2]}
    settings = StrategySettings.model_validate(yaml.safe_load(_block("yaml"))["strategies"]["longest"])
    scorer = Scorer(partial(build_router, "longest", routers=routers), settings)
    async with (
        scripted_backend("any", echoing) as backend,
        bare_scorers({"longest": scorer}) as address,
        running_controller({"strong": backend.settings, "weak": backend.settings}, address, strategies={"longest": settings}) as controller,
        AsyncClient(controller.address) as client,
    ):
        short, long = [(await client.route("x" * n, model="router-longest-0.5")).decision for n in (99, 101)]
    await scorer.close()
    assert (short.tier, long.tier) == (routing_pb2.TIER_WEAK, routing_pb2.TIER_STRONG)
    assert long.strong_win_rate == pytest.approx(101 / 201)
