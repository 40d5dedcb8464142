"""The registry and what every router shares."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from typing import ClassVar, Self

import pytest

from pointsman.runtime.errors import UnknownStrategy
from pointsman.runtime.settings import StrategySettings
from scorers.errors import ModelFailed
from scorers.registry import ROUTERS, build_router, router_class
from scorers.router import ModelPair, NoWinRate, Router, ScoredPrompt, WinRate


class FixedRouter(Router):
    """Gives the number that the prompt says, or none."""

    strategy: ClassVar[str] = "fixed"

    @classmethod
    def build(cls, settings: StrategySettings) -> Self:
        return cls()

    def calculate_strong_win_rates(self, prompts: Sequence[ScoredPrompt]) -> list[WinRate | NoWinRate]:
        return [WinRate(float(p.text)) if p.text else NoWinRate("nothing") for p in prompts]


def test_every_registered_name_is_the_strategy_of_its_class() -> None:
    """One word for the folder, the application and the class."""
    assert {name: router_class(name).strategy for name in ROUTERS} == {name: name for name in ROUTERS}


def test_an_unknown_strategy_lists_the_known() -> None:
    """The error says what would be right."""
    with pytest.raises(UnknownStrategy, match=r"'nope'; there are: bert, causal_llm, mf, random, sw_ranking\."):
        build_router("nope", StrategySettings())


@pytest.mark.parametrize(
    "code",
    [
        "import scorers.registry",
        "from scorers.registry import *; from pointsman.runtime.settings import *; build_router('random', StrategySettings())",
    ],
)
def test_random_and_the_registry_never_load_a_model_library(code: str) -> None:
    """A replica of random costs neither torch's seconds nor its memory."""
    loaded = f"{code}; import sys; print({{'torch', 'transformers', 'ray', 'numpy'}} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_what_ray_runs_in_a_replica_of_random_never_loads_a_model_library() -> None:
    """The deployment's own module is as light as its router."""
    code = "import scorers.serve, scorers.replica, scorers.bare, sys; print({'torch', 'transformers', 'ray', 'numpy'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


@pytest.mark.parametrize(("threshold", "model"), [(0.0, "big"), (0.5, "big"), (0.500001, "small"), (1.0, "small")])
def test_a_prompt_goes_strong_from_the_threshold_up(threshold: float, model: str) -> None:
    """A win rate that equals the threshold is strong."""
    assert FixedRouter().route("0.5", threshold, ModelPair(strong="big", weak="small")) == model


def test_one_prompt_is_scored_as_a_batch_of_one() -> None:
    """The single form gives the batch's number, and raises where there's none."""
    assert FixedRouter().calculate_strong_win_rate("0.25") == 0.25
    with pytest.raises(ModelFailed):
        FixedRouter().calculate_strong_win_rate("")
