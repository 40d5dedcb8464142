"""Building a table: from RouteLLM's benchmark files, and from battles."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from pointsman.runtime.settings import StrategySettings
from scorers.embedding.hashing import HashingEmbedder
from scorers.errors import InvalidData
from scorers.offline.benchmarks import VALIDATION_SALT, VALIDATION_SHARE, load_outcomes, split
from scorers.offline.training import TrainReport
from scorers.registry import build_router
from scorers.router import ModelPair
from scorers.sw_ranking.index import IndexOptions, main_index
from tests.unit.scorers.routellm_files import write_files


@dataclass
class Run:
    """One building of a table over the hashing embedder: where it wrote, and what it reported."""

    out: Path
    heard: list[tuple[str, int, int]] = field(default_factory=list)

    def index(self, data: Path, options: IndexOptions | None = None) -> TrainReport:
        return main_index(data, self.out, lambda *said: self.heard.append(said), options, embedder=HashingEmbedder())


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files in RouteLLM's layout."""
    folder = tmp_path_factory.mktemp("data")
    write_files(folder)
    return folder


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, TrainReport]:
    """A table of the benchmark files."""
    run = Run(tmp_path_factory.mktemp("checkpoint"))
    return run, run.index(data)


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """600 battles of six models as JSON Lines: on hard prompts the lower number wins, on easy ones nobody."""
    file = tmp_path_factory.mktemp("arena") / "battles.jsonl"
    draw = random.Random(0)
    rows = []
    for i in range(600):
        kind = draw.choice(["hard", "easy"])
        a, b = draw.sample(range(6), 2)
        winner = f"m{min(a, b) if draw.random() < 0.8 else max(a, b)}" if kind == "hard" else "tie"
        rows.append({"prompt": f"{kind} question number {i}", "model_a": f"m{a}", "model_b": f"m{b}", "winner": winner})
    rows.append({"prompt": "too short", "model_a": "m0", "model_b": "m1", "winner": "tie"})
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def test_the_table_learns_what_the_data_says_and_serves(run: tuple[Run, TrainReport]) -> None:
    """The written directory loads by the strict loader, and orders new prompts as the data would."""
    ran, report = run
    router = build_router("sw_ranking", StrategySettings(checkpoint=str(ran.out)))
    assert router.checkpoint == report.checkpoint
    hard, easy, odd = (router.calculate_strong_win_rate(f"{word} and new") for word in ("hard", "easy", "odd"))
    assert hard > easy > odd
    assert min(report.figures["held_out"].values()) > 0.6


def test_no_prompt_of_the_validation_split_is_in_the_table(data: Path, run: tuple[Run, TrainReport]) -> None:
    """As many battles as training rows, and config.json says so."""
    training, validation = split(load_outcomes(data), VALIDATION_SHARE, VALIDATION_SALT)
    table = load_file(run[0].out / "model.safetensors")
    assert len(table["embeddings"]) == len(table["outcome"]) == len(training)
    assert run[1].figures["rows"]["validation"] == len(validation) > 20
    assert json.loads((run[0].out / "config.json").read_text())["battles"] == len(training)


def test_the_directory_is_complete_and_holds_no_text(data: Path, run: tuple[Run, TrainReport]) -> None:
    """Table, config, figures, card; no prompt is in any of them."""
    files = {file.name: file.read_bytes() for file in run[0].out.iterdir()}
    assert set(files) == {"model.safetensors", "config.json", "figures.json", "README.md"}
    assert json.loads(files["figures.json"]) == run[1].figures
    assert "English exam questions" in files["README.md"].decode()
    assert not any(outcome.prompt.encode() in content for outcome in load_outcomes(data) for content in files.values())


def test_the_same_data_give_the_same_table(data: Path, run: tuple[Run, TrainReport], tmp_path: Path) -> None:
    """To the last bit."""
    assert Run(tmp_path).index(data).checkpoint == run[1].checkpoint


def test_progress_tells_every_stage_from_nothing_to_all(run: tuple[Run, TrainReport]) -> None:
    """What a progress bar needs."""
    heard = run[0].heard
    stages = list(dict.fromkeys(stage for stage, _, _ in heard))
    assert stages == ["embedding prompts", "choosing the weight base", "building the table"]
    for stage in stages:
        done = [(d, total) for s, d, total in heard if s == stage]
        assert done[0][0] == 0
        assert done[-1][0] == done[-1][1]


def test_battles_of_many_models_make_a_table_with_upstreams_weight_base(arena: Path, tmp_path: Path) -> None:
    """Models are grouped by strength, short prompts left out, and the pair is the caller's."""
    options = IndexOptions(pair=ModelPair("m0", "m5"), groups=3)
    report = Run(tmp_path).index(arena, options)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["weight_base"] == 10
    assert config["models"] == {"m0": 0, "m5": 1, "m1": 2, "m2": 3, "m3": 4, "m4": 5}
    groups = load_file(tmp_path / "model.safetensors")["rating_group"].tolist()
    assert groups[0] == 0
    assert groups[1] == 2
    assert report.figures["rows"]["table"] + report.figures["rows"]["validation"] == 600
    router = build_router("sw_ranking", StrategySettings(checkpoint=str(tmp_path)))
    assert router.calculate_strong_win_rate("hard question number") > router.calculate_strong_win_rate("easy question number") > 0.5


def test_what_cannot_make_a_table_is_an_error_that_says_why(arena: Path, tmp_path: Path) -> None:
    """A pair that isn't there; a pair that only ever ends one way; too few rows."""
    with pytest.raises(InvalidData, match=r"no battle of gpt-4-1106-preview or mixtral.* is in it; name the pair"):
        Run(tmp_path / "out").index(arena)
    one_way = tmp_path / "one_way.jsonl"
    battle = {"model_a": "x", "model_b": "y", "winner": "x"}
    one_way.write_text("".join(json.dumps({"prompt": f"prompt of some length, {i}", **battle}) + "\n" for i in range(60)))
    with pytest.raises(InvalidData, match="connect the strong and the weak model both ways"):
        Run(tmp_path / "out").index(one_way, IndexOptions(pair=ModelPair("x", "y")))
    write_files(tmp_path / "few", per_domain=1)
    with pytest.raises(InvalidData, match="too few"):
        Run(tmp_path / "out").index(tmp_path / "few")
    assert not (tmp_path / "out").exists()
