"""Training mf: data, splits, figures and what's written."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from pointsman.runtime.settings import StrategySettings
from scorers.embedding.hashing import HashingEmbedder
from scorers.errors import InvalidData
from scorers.mf.train import main_train
from scorers.offline.benchmarks import VALIDATION_SALT, VALIDATION_SHARE, data_sha256, load_outcomes, split
from scorers.offline.metrics import apgr
from scorers.offline.training import TrainReport
from scorers.registry import build_router
from tests.unit.scorers.routellm_files import CONTAMINATED, write_files

SHIPPED_FIGURES = Path(__file__).parents[3] / "scorers" / "mf" / "checkpoint" / "figures.json"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files in RouteLLM's layout."""
    folder = tmp_path_factory.mktemp("data")
    write_files(folder)
    return folder


@dataclass
class Run:
    """A training run over the hashing embedder: where it wrote, what it reported and what it gave."""

    out: Path
    heard: list[tuple[str, int, int]] = field(default_factory=list)

    def train(self, data: Path) -> TrainReport:
        return main_train(data, self.out, 0, lambda *said: self.heard.append(said), embedder=HashingEmbedder())


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, TrainReport]:
    """One run, finished."""
    run = Run(tmp_path_factory.mktemp("checkpoint"))
    return run, run.train(data)


def test_the_preference_is_who_alone_was_right(data: Path) -> None:
    """Strong alone: 1; weak alone: 0; both: a tie."""
    kinds = {o.prompt.split()[0]: o.preference for o in load_outcomes(data)}
    assert kinds == {"hard": 1.0, "easy": 0.5, "odd": 0.0}


@pytest.mark.parametrize("inside", ["", "benchmarks", "routellm/evals", "evals"])
def test_data_is_found_in_a_checkout_of_routellm_as_well(tmp_path: Path, inside: str) -> None:
    """The folder itself, or one that has it in a place RouteLLM puts it."""
    write_files(tmp_path / inside, per_domain=1)
    assert len(load_outcomes(tmp_path)) == 40


def test_decontaminated_prompts_are_left_out(data: Path) -> None:
    """RouteLLM's lists count."""
    assert CONTAMINATED not in {o.prompt for o in load_outcomes(data)}
    assert len(load_outcomes(data)) == 480


def test_the_validation_split_is_fixed_and_shares_no_prompt_with_training(data: Path) -> None:
    """A prompt's own hash puts it on its side, whatever the order or the rest of the data."""
    outcomes = load_outcomes(data)
    training, validation = split(outcomes, VALIDATION_SHARE, VALIDATION_SALT)
    assert not {o.prompt for o in training} & {o.prompt for o in validation}
    assert len(training) + len(validation) == len(outcomes)
    assert 20 < len(validation) < 80
    fewer = split(outcomes[::-3], VALIDATION_SHARE, VALIDATION_SALT)[1]
    assert {o.prompt for o in fewer} <= {o.prompt for o in validation}


def test_the_data_hash_names_the_data_and_not_its_order(data: Path) -> None:
    """A row less is other data."""
    outcomes = load_outcomes(data)
    assert data_sha256(outcomes) == data_sha256(outcomes[::-1])
    assert data_sha256(outcomes) != data_sha256(outcomes[1:])


def test_missing_or_foreign_files_are_an_error_that_names_them(tmp_path: Path, data: Path) -> None:
    """No traceback for a wrong path or a wrong column."""
    with pytest.raises(InvalidData, match="mmlu/responses and gsm8k aren't there"):
        load_outcomes(tmp_path)
    write_files(tmp_path, per_domain=1)
    (tmp_path / "mmlu" / "responses" / "mmlu_domain3.csv").write_text("prompt,other\nx,True\n")
    with pytest.raises(InvalidData, match=r"mmlu_domain3\.csv: no column gpt-4"):
        load_outcomes(tmp_path)


def test_training_learns_what_the_data_says_and_the_checkpoint_serves(run: tuple[Run, TrainReport]) -> None:
    """The written directory loads by the strict loader, and orders new prompts as the data would."""
    ran, report = run
    router = build_router("mf", StrategySettings(checkpoint=str(ran.out)))
    assert router.checkpoint == report.checkpoint
    hard, easy, odd = (router.calculate_strong_win_rate(f"{word} and new") for word in ("hard", "easy", "odd"))
    assert hard > easy > odd
    assert report.figures["apgr"]["seen_domains"] > 1
    assert min(report.figures["apgr"].values()) > 0.6


def test_the_directory_is_complete_and_the_card_says_what_it_was_trained_on(data: Path, run: tuple[Run, TrainReport]) -> None:
    """Weights, config, figures, card."""
    ran, report = run
    assert {file.name for file in ran.out.iterdir()} == {"model.safetensors", "config.json", "figures.json", "README.md"}
    config = json.loads((ran.out / "config.json").read_text())
    assert config["data_sha256"] == data_sha256(load_outcomes(data))
    assert config["embedder"] == {"id": "hashing-384", "sha256": HashingEmbedder().sha256, "dim": 384}
    assert json.loads((ran.out / "figures.json").read_text()) == report.figures
    card = (ran.out / "README.md").read_text()
    assert "English exam questions" in card
    assert "promises nothing" in card


def test_the_same_seed_and_data_give_the_same_checkpoint(data: Path, run: tuple[Run, TrainReport], tmp_path: Path) -> None:
    """To the last bit."""
    assert Run(tmp_path).train(data).checkpoint == run[1].checkpoint


def test_progress_tells_every_stage_from_nothing_to_all(run: tuple[Run, TrainReport]) -> None:
    """What a progress bar needs."""
    heard = run[0].heard
    stages = list(dict.fromkeys(stage for stage, _, _ in heard))
    assert stages == ["embedding prompts", "choosing the regularisation", "fitting"]
    for stage in stages:
        done = [(d, total) for s, d, total in heard if s == stage]
        assert done[0][0] == 0
        assert done[-1][0] == done[-1][1]


def test_the_shipped_checkpoint_beats_chance_on_every_kind_of_held_out_prompt() -> None:
    """The committed figures are those the issue asked for, at the least."""
    figures = json.loads(SHIPPED_FIGURES.read_text())["apgr"]
    assert figures["seen_domains"] >= 0.63
    assert figures["unseen_domains"] >= 0.53
    assert figures["gsm8k"] >= 0.52


@pytest.mark.parametrize(
    ("scores", "gains", "area"),
    [
        ([3, 2, 1], [1, 0, 0], 5 / 6),
        ([1, 2, 3], [1, 0, 0], 1 / 6),
        ([1, 1, 1], [1, 0, 0], 1 / 2),
        ([2, 1, 1], [0, 1, 1], 1 / 3),
        ([3, 2, 1], [1, 1, -1], 7 / 6),
    ],
)
def test_apgr_is_the_area_under_gap_recovered(scores: list[float], gains: list[float], area: float) -> None:
    """Worked by hand; a tie is a straight line, whatever the order in it."""
    assert apgr(scores, gains) == pytest.approx(area)
    assert apgr(scores[::-1], gains[::-1]) == pytest.approx(area)


def test_apgr_of_no_gain_is_no_number() -> None:
    """Where the strong model gains nothing there's no gap to recover."""
    assert np.isnan(apgr([1, 2], [1, -1]))
