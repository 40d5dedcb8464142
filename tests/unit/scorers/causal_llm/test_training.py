"""Training causal_llm's adapter: that what's trained is what serves, and what is written."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch

from scorers.causal_llm.adapter import adapter_shapes, merge
from scorers.causal_llm.base import Base, base_of
from scorers.causal_llm.cuts import cut
from scorers.causal_llm.fit import fit, soft_labels, win_rates
from scorers.causal_llm.hidden import HiddenStates, compute
from scorers.causal_llm.last_layer import LastLayer
from scorers.causal_llm.linear import fit_direction
from scorers.causal_llm.llama import load_llama, read_llama_config
from scorers.causal_llm.model import PrefixedLlama, ScoreModel
from scorers.causal_llm.sample import sampled
from scorers.causal_llm.train import main_train
from scorers.errors import InvalidData
from scorers.offline.benchmarks import VALIDATION_SALT, VALIDATION_SHARE, data_sha256, load_outcomes, split
from scorers.offline.training import TrainReport
from tests.unit.scorers.causal_llm.llamas import write_smollm2
from tests.unit.scorers.routellm_files import write_files

SHIPPED_FIGURES = Path(__file__).parents[4] / "scorers" / "causal_llm" / "checkpoint" / "figures.json"
MOST = 400
TEXTS = ["the ratio", "why?\n\nthe " * 9, "", "a", "[[5]] 17 " * 30]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny base model."""
    folder = tmp_path_factory.mktemp("base")
    write_smollm2(folder)
    return folder


def loaded(folder: Path) -> Base:
    return base_of(folder, "SmolLM2-135M-Instruct.Q4_1", "0" * 64, layers=2, system="Say how well.", max_tokens=160)


@pytest.fixture(scope="module")
def base(folder: Path) -> Base:
    """Its first two layers, the second to be trained."""
    return loaded(folder)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files in RouteLLM's layout."""
    folder = tmp_path_factory.mktemp("data")
    write_files(folder)
    return folder


@dataclass
class Run:
    """A training run over the tiny base: where it wrote and what it reported."""

    out: Path
    work: Path
    heard: list[tuple[str, int, int]] = field(default_factory=list)

    def train(self, data: Path, base: Base) -> TrainReport:
        return main_train(data, self.out, 0, lambda *said: self.heard.append(said), most=MOST, work=self.work, base=base)


@pytest.fixture(scope="module")
def run(data: Path, base: Base, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, TrainReport]:
    """One run, finished."""
    run = Run(tmp_path_factory.mktemp("checkpoint"), tmp_path_factory.mktemp("work"))
    return run, run.train(data, base)


def exact_states(folder: Path, base: Base, ids: list[list[int]]) -> HiddenStates:
    """The frozen layer's hidden states in float32, where training keeps less."""
    frozen, _ = load_llama(folder, read_llama_config(folder), layers=1, dtype=torch.float32)
    frozen.norm = torch.nn.Identity()
    trunk = PrefixedLlama(frozen, base.chat.prefix)
    return HiddenStates([trunk.hidden([turn])[0].clone() for turn in ids], trunk.prefix_hidden.clone())


def test_what_is_trained_gives_the_logits_that_are_served(folder: Path, base: Base) -> None:
    """The training code's own last layer, and the whole model with the adapter merged, agree on an adapter of draws."""
    ids = [turn.ids for turn in base.chat.turns(TEXTS) if turn]
    states = exact_states(folder, base, ids)
    layer = LastLayer(base.llama, states.prefix, rank=3, seed=0)
    draw = np.random.default_rng(1)
    shapes = adapter_shapes(base.llama.config, 3)
    layer.load({name: draw.standard_normal(shape).astype(np.float32) * 0.3 for name, shape in shapes.items()})
    with torch.no_grad():
        trained = layer(*states.padded(range(len(ids)))).numpy()
    llama = loaded(folder).llama
    served = ScoreModel(llama, merge(llama, layer.adapter()), base.chat.prefix).logits(ids)
    assert np.abs(trained - served).max() < 1e-4
    assert np.ptp(trained) > 1


def test_training_begins_with_the_linear_solution(folder: Path, base: Base) -> None:
    """Written into the last layer, ridge regression orders the prompts as it did before."""
    draw = np.random.default_rng(2)
    texts = [" ".join(draw.choice(["the", "ratio", "why", "17", "x"], size=draw.integers(3, 30))) for _ in range(160)]
    states = exact_states(folder, base, [turn.ids for turn in base.chat.turns(texts) if turn])
    preferences = np.array([min(1.0, text.count("why") / 6) for text in texts])
    layer = LastLayer(base.llama, states.prefix, rank=2, seed=0)
    means = np.concatenate([layer.means(*states.padded([i])).numpy() for i in range(len(texts))])
    weights, constant = fit_direction(means.astype(np.float64), preferences, 1.0)
    fitted = fit(base.llama, states, preferences, range(160), rank=2, penalty=1.0, seed=0, report=lambda done, total: None, epochs=0)
    assert fitted.epochs == 0
    rates = win_rates(fitted.layer, states, range(160))
    assert np.corrcoef(rates, means @ weights + constant)[0, 1] > 0.6
    assert np.corrcoef(rates, preferences)[0, 1] > 0.5


def test_soft_labels_follow_the_preference() -> None:
    """Only strong right: all on [[1]]; a tie: around [[3]]; only weak right: all on [[5]]."""
    labels = soft_labels(np.array([1.0, 0.5, 0.0]))
    assert labels[0].tolist() == [1, 0, 0, 0, 0]
    assert labels[1].tolist() == pytest.approx([1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16])
    assert labels[2].tolist() == [0, 0, 0, 0, 1]


def test_a_cut_shares_no_prompt_and_no_unseen_domain_with_its_training_rows(data: Path) -> None:
    """All rows are on one side or the other."""
    outcomes = load_outcomes(data)
    for number in range(3):
        parts = cut(outcomes, range(len(outcomes)), number)
        held_out = [row for rows in parts.held_out.values() for row in rows]
        assert sorted([*parts.training, *held_out]) == list(range(len(outcomes)))
        assert all(len(rows) > 0 for rows in parts.held_out.values())
        unseen = {outcomes[row].domain for row in parts.held_out["unseen_domains"]}
        assert not unseen & {outcomes[row].domain for row in parts.training}


def test_the_sample_is_the_same_whatever_the_order(data: Path) -> None:
    """A prompt's hash decides, so a smaller sample is a part of a larger one; GSM8K has more than its share."""
    outcomes = load_outcomes(data)
    large, small = sampled(outcomes, 200), sampled(outcomes[::-1], 100)
    assert set(small) <= set(large)
    assert sum(o.benchmark == "gsm8k" for o in large) > 200 * 48 / 480


def test_training_learns_what_the_data_says(run: tuple[Run, TrainReport]) -> None:
    """`hard`, `easy` and `odd` prompts are told apart, on every kind of held-out prompt."""
    apgr = run[1].figures["apgr"]
    assert set(apgr) == {"seen_domains", "unseen_domains", "gsm8k", "validation"} == set(run[1].figures["n"])
    assert min(apgr.values()) > 0.6


def test_nothing_of_the_validation_split_is_trained_on(data: Path, run: tuple[Run, TrainReport]) -> None:
    """The rows used are the sample, and its validation part is kept apart."""
    used = sampled(load_outcomes(data), MOST)
    training, validation = split(used, VALIDATION_SHARE, VALIDATION_SALT)
    rows = run[1].figures["rows"]
    assert (rows["used"], rows["training"], rows["validation"]) == (MOST, len(training), len(validation))


def test_the_directory_is_complete_and_the_card_says_what_it_was_trained_on(data: Path, run: tuple[Run, TrainReport]) -> None:
    """Weights, config, figures, card."""
    ran, report = run
    assert {file.name for file in ran.out.iterdir()} == {"model.safetensors", "config.json", "figures.json", "README.md"}
    config = json.loads((ran.out / "config.json").read_text())
    assert config["data_sha256"] == data_sha256(load_outcomes(data))
    assert (config["layers"], config["max_tokens"]) == (2, 160)
    assert json.loads((ran.out / "figures.json").read_text()) == report.figures
    card = (ran.out / "README.md").read_text()
    assert "English exam questions" in card
    assert "promises nothing" in card


def test_a_resumed_run_gives_the_same_checkpoint(data: Path, base: Base, run: tuple[Run, TrainReport], tmp_path: Path) -> None:
    """The same seed and data, to the last bit; what the first run kept isn't computed again."""
    kept = {file: file.stat().st_mtime_ns for file in run[0].work.iterdir()}
    assert Run(tmp_path, run[0].work).train(data, base).checkpoint == run[1].checkpoint
    assert {file: file.stat().st_mtime_ns for file in run[0].work.iterdir()} == kept
    assert len(kept) == 2


def test_kept_hidden_states_of_other_turns_are_not_taken(base: Base, tmp_path: Path) -> None:
    """The file's name says what was computed over what."""
    first, second = ([turn.ids for turn in base.chat.turns([text]) if turn] for text in ("the", "why"))
    compute(base.trunk, first, tmp_path, lambda done: None)
    other = compute(base.trunk, second, tmp_path, lambda done: None)
    assert torch.equal(other.turns[0], compute(base.trunk, second, None, lambda done: None).turns[0])


def test_progress_tells_every_stage_from_nothing_to_all(run: tuple[Run, TrainReport]) -> None:
    """What a progress bar needs."""
    heard = run[0].heard
    stages = list(dict.fromkeys(stage for stage, _, _ in heard))
    assert stages == ["running the frozen layers", *(f"held-out cut {i} of 3" for i in (1, 2, 3)), "fitting"]
    for stage in stages:
        done = [(d, total) for s, d, total in heard if s == stage]
        assert done[0][0] == 0
        assert done[-1][0] == done[-1][1]


def test_too_few_rows_are_an_error(tmp_path: Path, base: Base) -> None:
    """A sentence, and no checkpoint."""
    write_files(tmp_path / "data", per_domain=1)
    with pytest.raises(InvalidData, match="too few to train on"):
        Run(tmp_path / "out", tmp_path / "work").train(tmp_path / "data", base)
    assert not (tmp_path / "out").exists()


def test_the_shipped_checkpoint_beats_chance_on_every_kind_of_held_out_prompt() -> None:
    """The committed figures are those the issue asked for, at the least."""
    figures = json.loads(SHIPPED_FIGURES.read_text())["apgr"]
    assert figures["seen_domains"] >= 0.63
    assert figures["unseen_domains"] >= 0.53
    assert figures["gsm8k"] >= 0.52
