"""Every strategy is trained from the same file of preferences, JSON Lines or Parquet, and goes on where it was cut off."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pointsman.runtime.settings import StrategySettings
from scorers.bert.train import main_train as train_bert
from scorers.causal_llm.base import Base, base_of
from scorers.causal_llm.train import main_train as train_causal_llm
from scorers.embedding.embedder import Embeddings
from scorers.embedding.hashing import HashingEmbedder
from scorers.errors import InvalidData
from scorers.mf.train import main_train as train_mf
from scorers.offline.resume import CHUNK, resumed_rows, work_folder
from scorers.offline.training import TrainReport
from scorers.offline.training_data import load_training_data
from scorers.registry import build_router
from scorers.sw_ranking.index import IndexOptions, main_index
from tests.unit.scorers.causal_llm.llamas import write_smollm2
from tests.unit.scorers.preference_files import MY_PAIR, OTHERS, as_jsonl, as_parquet, preferences

Train = Callable[[Path, Path], TrainReport]


def silent(*_: object) -> None:
    """Hears the progress and says nothing."""


def _mf(data: Path, out: Path) -> TrainReport:
    return train_mf(data, out, 0, silent, pair=MY_PAIR, embedder=HashingEmbedder())


def _sw_ranking(data: Path, out: Path) -> TrainReport:
    return main_index(data, out, silent, IndexOptions(pair=MY_PAIR), embedder=HashingEmbedder())


def _bert(data: Path, out: Path) -> TrainReport:
    return train_bert(data, out, 0, silent, pair=MY_PAIR, layers=2)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    """A tiny causal LM."""
    folder = tmp_path_factory.mktemp("base")
    write_smollm2(folder)
    return base_of(folder, "SmolLM2-135M-Instruct.Q4_1", "0" * 64, layers=2, system="Say how well.", max_tokens=160)


@pytest.mark.parametrize("train", [_mf, _sw_ranking, _bert])
def test_the_checkpoint_serves_its_own_pair_and_orders_prompts_as_the_file_does(train: Train, tmp_path: Path) -> None:
    """From JSON Lines and from Parquet to the last bit the same."""
    rows = preferences()
    trained = train(as_jsonl(tmp_path / "mine.jsonl", rows), tmp_path / "out")
    same = train(as_parquet(tmp_path / "mine.parquet", rows), tmp_path / "again")
    assert trained.checkpoint == same.checkpoint
    strategy = json.loads((tmp_path / "out" / "config.json").read_text())["strategy"]
    router = build_router(strategy, StrategySettings(checkpoint=str(tmp_path / "out")))
    assert router.trained_pair == MY_PAIR
    hard, easy, odd = (router.calculate_strong_win_rate(f"{word} question") for word in ("hard", "easy", "odd"))
    assert hard > easy > odd


def test_causal_llm_learns_from_the_file_too(base: Base, tmp_path: Path) -> None:
    """Held-out figures over prompts, since such a file has no domains."""
    data = as_jsonl(tmp_path / "mine.jsonl", preferences())
    trained = train_causal_llm(data, tmp_path / "out", 0, silent, pair=MY_PAIR, base=base)
    assert set(trained.figures["apgr"]) == {"prompts", "validation"}
    assert trained.figures["apgr"]["prompts"] > 0.6
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert (config["strong"], config["weak"]) == (MY_PAIR.strong, MY_PAIR.weak)


@pytest.mark.parametrize("train", [_mf, _bert])
def test_the_card_tells_of_the_file_and_not_of_exams(train: Train, tmp_path: Path) -> None:
    """Its hash, its counts, what wasn't used, and that nothing else is promised."""
    trained = train(as_jsonl(tmp_path / "mine.jsonl", preferences()), tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text()
    assert "MMLU" not in card.replace("RouteLLM's benchmark files", "")
    assert "120 won by ours-large, 60 by" in card
    assert f"{OTHERS} battles of other models" in card
    assert "It promises nothing" in card
    assert trained.figures["rows"]["all"] == 240
    assert load_training_data(tmp_path / "mine.jsonl", MY_PAIR).sha256 in card


@pytest.mark.parametrize("train", [_mf, _bert])
def test_what_can_not_be_trained_on_is_an_error_that_says_why(train: Train, tmp_path: Path) -> None:
    """Another pair, too few rows, one outcome only, a file that isn't there; and no checkpoint is left."""
    with pytest.raises(InvalidData, match="no battle between ours-large and ours-small"):
        train(as_jsonl(tmp_path / "a.jsonl", preferences()[-OTHERS:]), tmp_path / "out")
    with pytest.raises(InvalidData, match="20 rows are too few"):
        train(as_jsonl(tmp_path / "b.jsonl", preferences(20)), tmp_path / "out")
    with pytest.raises(InvalidData, match="ends the same way"):
        train(as_jsonl(tmp_path / "c.jsonl", [row for row in preferences(400) if row["winner"] == "tie"]), tmp_path / "out")
    with pytest.raises(InvalidData, match=r"none\.jsonl: can't be read"):
        train(tmp_path / "none.jsonl", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("winner", "nobody", "row 3: winner: neither"),
        ("model_b", "ours-large", "row 3: model_a and model_b"),
        ("prompt", None, "row 3: prompt: a text"),
    ],
)
def test_a_wrong_row_of_parquet_is_named_and_never_quoted(tmp_path: Path, field: str, value: str, said: str) -> None:
    """By its number, the first being 1."""
    rows = preferences(8)
    rows[2] = {**rows[2], "model_a": "ours-large", "model_b": "ours-small", field: value}
    with pytest.raises(InvalidData, match=said) as caught:
        load_training_data(as_parquet(tmp_path / "x.parquet", rows), MY_PAIR)
    assert "question" not in str(caught.value)


def test_a_parquet_file_without_a_column_or_that_is_none_is_named(tmp_path: Path) -> None:
    """In a sentence."""
    without = [{name: value for name, value in row.items() if name != "winner"} for row in preferences(4)]
    with pytest.raises(InvalidData, match="no column winner"):
        load_training_data(as_parquet(tmp_path / "x.parquet", without), MY_PAIR)
    (tmp_path / "y.parquet").write_text("hello")
    with pytest.raises(InvalidData, match="not a Parquet file"):
        load_training_data(tmp_path / "y.parquet", MY_PAIR)


class _Tiring(HashingEmbedder):
    """Is cut off after so many calls, as by Ctrl-C; counts what it embeds."""

    def __init__(self, calls: int) -> None:
        super().__init__()
        self.left = calls
        self.texts = 0

    def embed(self, texts: Sequence[str], progress: Callable[[int], None] | None = None) -> Embeddings:
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        self.texts += len(texts)
        return super().embed(texts, progress)


def test_a_training_that_was_cut_off_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """What was embedded before isn't again, and the checkpoint is the uninterrupted one's."""
    data = as_jsonl(tmp_path / "mine.jsonl", preferences(3 * CHUNK))
    whole = train_mf(data, tmp_path / "whole", 0, silent, pair=MY_PAIR, embedder=HashingEmbedder())
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt), work_folder(out, None) as work:
        train_mf(data, out, 0, silent, pair=MY_PAIR, embedder=_Tiring(2), work=work)
    rest = _Tiring(9)
    with work_folder(out, None) as work:
        resumed = train_mf(data, out, 0, silent, pair=MY_PAIR, embedder=rest, work=work)
    assert rest.texts == CHUNK
    assert resumed.checkpoint == whole.checkpoint
    assert not work.exists()


def test_rows_of_another_model_or_of_other_texts_are_not_taken(tmp_path: Path) -> None:
    """The file's name says what was computed over what."""

    def rows_of(value: float) -> Callable[..., NDArray[np.float64]]:
        return lambda texts, told: np.full((len(texts), 2), value)

    first = resumed_rows(["a"], rows_of(1), over="model 1", work=tmp_path, report=silent)
    assert np.array_equal(first, resumed_rows(["a"], rows_of(2), over="model 1", work=tmp_path, report=silent))
    assert resumed_rows(["a"], rows_of(2), over="model 2", work=tmp_path, report=silent)[0, 0] == 2
    assert resumed_rows(["b"], rows_of(3), over="model 1", work=tmp_path, report=silent)[0, 0] == 3
