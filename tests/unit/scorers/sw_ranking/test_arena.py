"""RouteLLM's own table, from files of its datasets' layout."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scorers.checkpoint import read_config
from scorers.embedding.endpoint import endpoint_sha256
from scorers.errors import InvalidData
from scorers.router import ROUTELLM_PAIR
from scorers.sw_ranking.arena import EMBEDDING, main_arena
from scorers.sw_ranking.config import SWConfig
from scorers.sw_ranking.router import SimilarityWeightedRouter
from tests.unit.scorers.checkpoints import SyntheticEmbedder

DIM = 24
MODELS = (ROUTELLM_PAIR.strong, ROUTELLM_PAIR.weak, "vicuna-13b", "alpaca-13b", "koala-13b")


def endpoint() -> SyntheticEmbedder:
    """Says that it's the endpoint's model."""
    made = SyntheticEmbedder(DIM)
    made.id, made.sha256 = EMBEDDING, endpoint_sha256(EMBEDDING, DIM)
    return made


def battles(count: int, seed: int) -> list[dict[str, object]]:
    """In the datasets' columns; the lower number wins mostly, every seventh prompt is too short to be embedded."""
    draw = random.Random(seed)
    rows: list[dict[str, object]] = []
    for i in range(count):
        a, b = draw.sample(range(len(MODELS)), 2)
        first = "short" if i % 7 == 3 else f"  a question of some length, {seed} {i} "
        won = draw.choice(["a", "a", "b", "tie"]) if a < b else draw.choice(["b", "b", "a", "tie"])
        rows.append(
            {
                "id": i,
                "model_a": MODELS[a],
                "model_b": MODELS[b],
                "prompt": json.dumps([first, "and then?"]),
                "response_a": json.dumps(["x\ny", "z"]),
                "response_b": json.dumps(["…"]),
                "winner_model_a": int(won == "a"),
                "winner_model_b": int(won == "b"),
                "winner_tie": int(won == "tie"),
            }
        )
    return rows


def kept(rows: list[dict[str, object]]) -> list[str]:
    """The first turns that have an embedding, as upstream embeds them."""
    turns = [json.loads(str(row["prompt"]))[0].strip() for row in rows]
    return [turn for turn in turns if len(turn) >= 16]


def write(folder: Path, *, missing: int = 0) -> tuple[list[Path], list[Path]]:
    """The four datasets: one of battles as CSV, one as Parquet, and the embeddings of each."""
    arena, judge = battles(300, 1), battles(200, 2)
    (folder / "arena").mkdir()
    with (folder / "arena" / "train.csv").open("w", newline="") as lines:
        writer = csv.DictWriter(lines, fieldnames=list(arena[0]))
        writer.writeheader()
        writer.writerows(arena)
    (folder / "judge" / "data").mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(judge), folder / "judge" / "data" / "train-00000-of-00001.parquet")
    for name, rows in (("arena", arena), ("judge", judge)):
        vectors = SyntheticEmbedder(DIM).embed(kept(rows)).vectors.astype(np.float64)[missing:]
        (folder / f"{name}_embeddings" / "data").mkdir(parents=True)
        table = pa.table({"embeddings": vectors.tolist()})
        pq.write_table(table, folder / f"{name}_embeddings" / "data" / "train-00000-of-00001.parquet")
    return [folder / "arena", folder / "judge"], [folder / "arena_embeddings", folder / "judge_embeddings"]


def silent(*_: object) -> None:
    """Hears the progress and says nothing."""


def test_the_table_has_every_battle_that_is_embedded_and_serves(tmp_path: Path) -> None:
    """In upstream's order and with its weight base, for the pair it scores, behind the endpoint's embeddings."""
    found, embeddings = write(tmp_path)
    report = main_arena(found, embeddings, tmp_path / "out", silent)
    config = read_config(tmp_path / "out", SWConfig)
    assert config.battles == len(kept(battles(300, 1))) + len(kept(battles(200, 2)))
    assert (config.pair, config.weight_base, config.embedder.id, config.embedder.dim) == (ROUTELLM_PAIR, 10, EMBEDDING, DIM)
    assert set(config.models) == set(MODELS)
    router = SimilarityWeightedRouter(tmp_path / "out", config, endpoint())
    assert router.checkpoint == report.checkpoint
    assert 0.5 < router.calculate_strong_win_rate("What is 1+1?") < 1


def test_battles_and_embeddings_must_be_equally_many(tmp_path: Path) -> None:
    """Nothing else ties them together."""
    found, embeddings = write(tmp_path, missing=1)
    with pytest.raises(InvalidData, match=r"428 battles .* but 426 embeddings"):
        main_arena(found, embeddings, tmp_path / "out", silent)


def test_what_is_not_of_the_layout_is_named(tmp_path: Path) -> None:
    """A folder without files, a column that's missing, a prompt that's no list."""
    found, embeddings = write(tmp_path)
    with pytest.raises(InvalidData, match="no column embeddings"):
        main_arena(found, [found[1]], tmp_path / "out", silent)
    with pytest.raises(InvalidData, match="no column model_a"):
        main_arena([embeddings[0]], embeddings, tmp_path / "out", silent)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidData, match=r"no \.parquet or \.csv file"):
        main_arena([tmp_path / "empty"], embeddings, tmp_path / "out", silent)
    (found[0] / "train.csv").write_text("model_a,model_b,prompt,winner_model_a,winner_model_b\nx,y,hello,1,0\n")
    with pytest.raises(InvalidData, match="row 1: not a battle"):
        main_arena(found, embeddings, tmp_path / "out", silent)
