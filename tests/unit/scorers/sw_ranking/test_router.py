"""The router: checkpoints, options, refusals, and the one that ships."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from pointsman.runtime.settings import StrategySettings
from scorers.embedding.hashing import HashingEmbedder
from scorers.embedding.minilm import MiniLMThirdLayerEmbedder
from scorers.errors import CheckpointRefused, EmbedderMismatch, InvalidOptions
from scorers.precision import has_int8
from scorers.registry import build_router
from scorers.router import Router, ScoredPrompt, WinRate
from scorers.sw_ranking.config import SWConfig, SWOptions
from scorers.sw_ranking.model import SimilarityWeightedRanking, Weighing
from scorers.sw_ranking.router import SHIPPED_CHECKPOINT, SimilarityWeightedRouter
from scorers.sw_ranking.table import load_table
from tests.unit.scorers.sw_ranking.arena import DIM, MODELS, Floats, arena
from tests.unit.scorers.sw_ranking.tables import tensors, written

TEXTS = ["What is 2 + 2?", "", "证明素数有无穷多个。", "Write a poem about the sea, in the manner of Basho. " * 3]


def built(folder: Path, **options: Any) -> Router:
    """The router over that directory."""
    return build_router("sw_ranking", StrategySettings(checkpoint=str(folder), options=options))


def rates(router: Router, texts: list[str]) -> list[float]:
    """One rate per text; none may be missing."""
    results = router.calculate_strong_win_rates([ScoredPrompt(text) for text in texts])
    assert all(isinstance(r, WinRate) for r in results)
    return [r.strong_win_rate for r in results if isinstance(r, WinRate)]


@pytest.fixture(scope="module")
def shipped() -> Router:
    """The router as it serves by default."""
    return build_router("sw_ranking", StrategySettings())


def test_a_prompt_like_those_that_only_the_strong_model_won_is_rated_higher(tmp_path: Path) -> None:
    """And like none: the vote of them all."""
    written(tmp_path)
    hard, unlike, easy = rates(built(tmp_path), ["a hard proof", "xyzzy", "an easy sum"])
    assert hard > unlike > easy > 0.5


@pytest.mark.skipif(not has_int8(), reason="this processor has no int8 arithmetic")
def test_the_shipped_table_gives_by_integers_what_it_gives_by_float32() -> None:
    """500 prompts near its own: the largest difference is printed, and far below what storing it as int8 costs (figures.json: 3.5e-4)."""
    config = SWConfig.model_validate_json((SHIPPED_CHECKPOINT / "config.json").read_bytes())
    table = load_table(SHIPPED_CHECKPOINT, config)
    draw = np.random.default_rng(1)
    prompts = (table.embeddings[:500].astype(np.float32) + draw.normal(0, 20, (500, config.embedder.dim))).astype(np.float32)
    tables = (table, replace(table, embeddings=table.embeddings.astype(np.float32)))
    weighing = Weighing(config.weight_base, config.similarity)
    integers, floats = (SimilarityWeightedRanking(each, strong=0, weak=1, weighing=weighing).win_rates(prompts) for each in tables)
    difference = float(np.abs(integers - floats).max())
    print(f"integers: largest difference {difference:.1e}")  # noqa: T201
    assert 0 < difference < 2e-5


def test_a_checkpoint_serves_under_its_name_and_its_weights_hash(tmp_path: Path) -> None:
    """Version and pair are what the files say."""
    config = written(tmp_path)
    router = built(tmp_path)
    assert router.checkpoint == config.version == f"tested@sha256:{config.weights_sha256[:12]}"
    assert (router.trained_pair.strong, router.trained_pair.weak) == ("big", "small")


def test_a_larger_weight_base_heeds_similar_battles_more(tmp_path: Path) -> None:
    """The option goes before the checkpoint's own."""
    written(tmp_path)
    texts = ["a hard proof", "an easy sum"]
    mild, sharp = (np.ptp(rates(built(tmp_path, weight_base=base), texts)) for base in (10, 1000))
    assert sharp > mild == pytest.approx(np.ptp(rates(built(tmp_path), texts)))


def test_options_reach_the_ranking(tmp_path: Path) -> None:
    """Each changes what a prompt scores."""
    table = tensors()
    table["model_b"][::3] = 1
    order = np.lexsort((table["outcome"], table["model_b"], table["model_a"]))
    table = {name: t[order] if len(t) == 400 else t for name, t in table.items()}
    written(tmp_path, table)
    plain = rates(built(tmp_path), ["a hard proof"])
    assert rates(built(tmp_path, similarity="none"), ["a hard proof"]) != plain
    assert rates(built(tmp_path, rating_groups=3), ["a hard proof"]) != plain


def test_the_solver_option_reaches_the_ranking(tmp_path: Path) -> None:
    """In a table with battles within both groups, where the two differ."""
    embedder = HashingEmbedder(dim=DIM)
    identity = {"id": embedder.id, "sha256": embedder.sha256, "dim": DIM}
    models = {f"m{i}": i for i in range(MODELS)}
    table = arena(2000).table.tensors()
    config = written(tmp_path, table, embedder=identity, models=models, strong="m1", weak="m9", battles=2000, storage="float32")
    exact = SimilarityWeightedRouter(tmp_path, config, embedder, SWOptions())
    compat = SimilarityWeightedRouter(tmp_path, config, embedder, SWOptions(solver="compat"))
    assert abs(rates(exact, ["word"])[0] - rates(compat, ["word"])[0]) > 1e-4


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"solver": "fast"}, r"options\.solver: Input should be 'exact' or 'compat'"),
        ({"rating_groups": 1}, r"options\.rating_groups: Input should be greater"),
        ({"rating_groups": True}, r"options\.rating_groups: Input should be a valid integer"),
        ({"weight_base": 1}, r"options\.weight_base: Input should be greater than 1"),
        ({"weight_base": float("nan")}, r"options\.weight_base"),
        ({"similarity": "min"}, r"options\.similarity: Input should be 'max' or 'none'"),
        ({"sovler": "exact"}, r"options\.sovler: unknown option; did you mean 'solver'"),
    ],
)
def test_a_wrong_option_is_refused_by_its_name(options: dict[str, Any], said: str) -> None:
    """Before anything is loaded."""
    with pytest.raises(InvalidOptions, match=rf"strategies\.sw_ranking\.{said}"):
        build_router("sw_ranking", StrategySettings(options=options))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"strategy": "mf"}, "strategy: Input should be 'sw_ranking'"),
        ({"models": {"big": 0, "small": 2}}, "without gaps"),
        ({"weak": "nobody"}, "strong and weak must be two of models"),
        ({"battles": 399}, r"embeddings is \[400, 384\], not \[399, 384\]"),
        ({"storage": "int8"}, "embeddings is F16, not I8"),
        ({"models": {"big": 0, "small": 1}}, r"rating_group is \[3\], not \[2\]"),
        ({"weight_base": 0.5}, "weight_base: Input should be greater than 1"),
    ],
)
def test_a_config_that_does_not_fit_its_table_is_refused(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    """The file and what differs are named."""
    written(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, **change}))
    with pytest.raises(CheckpointRefused, match=said):
        built(tmp_path)


@pytest.mark.parametrize(
    ("name", "tensor", "said"),
    [
        ("model_a", None, "tensors missing: model_a"),
        ("text", np.zeros(3, dtype=np.float32), "don't belong: text"),
        ("model_b", np.full(400, 3, dtype=np.int16), "model_b holds numbers outside 0 to 2"),
        ("model_a", np.full(400, -1, dtype=np.int16), "model_a holds numbers outside 0 to 2"),
        ("outcome", np.full(400, 3, dtype=np.uint8), "outcome holds numbers outside 0 to 2"),
        ("rating_group", np.array([0, -1, 1], dtype=np.int16), "rating_group holds numbers below 0"),
        ("outcome", np.arange(400, dtype=np.uint8) % 2, "aren't sorted"),
        ("embeddings", np.full((400, 384), np.inf, dtype=np.float16), "embeddings holds numbers that aren't finite"),
    ],
)
def test_a_table_that_is_not_exactly_what_is_expected_is_refused(tmp_path: Path, name: str, tensor: Any, said: str) -> None:
    """A tensor missing, extra, out of range, out of order, or not finite."""
    changed = {**tensors(), name: tensor}
    written(tmp_path, {key: value for key, value in changed.items() if value is not None})
    with pytest.raises(CheckpointRefused, match=said):
        built(tmp_path)


def test_a_table_that_was_changed_after_writing_is_refused(tmp_path: Path) -> None:
    """One flipped bit is another file; so is none, or one that isn't safetensors at all."""
    config = written(tmp_path)
    file = tmp_path / "model.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(CheckpointRefused, match="sha256 differs"):
        load_table(tmp_path, config)
    file.unlink()
    with pytest.raises(CheckpointRefused, match="can't be read: No such file"):
        load_table(tmp_path, config)
    file.write_bytes(b"not a table")
    sha256 = hashlib.sha256(b"not a table").hexdigest()
    with pytest.raises(CheckpointRefused, match="not a safetensors file"):
        load_table(tmp_path, config.model_copy(update={"weights_sha256": sha256}))


def test_the_table_is_mapped_and_not_read(tmp_path: Path) -> None:
    """Replicas share its pages."""
    table = load_table(tmp_path, written(tmp_path))
    assert isinstance(table.embeddings.base, np.memmap)
    assert not table.embeddings.flags.writeable


def test_other_embeddings_than_the_tables_are_refused(tmp_path: Path) -> None:
    """Similarities between two embedders' vectors mean nothing."""
    written(tmp_path, embedder={"id": "hashing-384", "sha256": "f" * 64, "dim": 384})
    with pytest.raises(EmbedderMismatch, match="its win rates would mean nothing"):
        built(tmp_path)


def test_the_shipped_table_scores_as_the_weighted_vote_says(shipped: Router) -> None:
    """For two models Bradley-Terry is the weighted share of wins, ties half: over the file's own numbers, written out."""
    table = load_file(SHIPPED_CHECKPOINT / "model.safetensors")
    base = SWConfig.model_validate_json((SHIPPED_CHECKPOINT / "config.json").read_bytes()).weight_base
    directions = table["embeddings"].astype(np.float64)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    won: Floats = np.array([1, 0, 0.5])[table["outcome"]]
    wanted = []
    for vector in MiniLMThirdLayerEmbedder().embed(TEXTS).vectors:
        cosines = directions @ vector
        weights = base ** (1 + cosines / cosines.max())
        wanted.append(float(weights @ won / weights.sum()))
    assert rates(shipped, TEXTS) == pytest.approx(wanted, abs=1e-5)


def test_the_shipped_table_says_what_it_is(shipped: Router) -> None:
    """Version, embedder and pair, as a calibration record will name them."""
    assert shipped.checkpoint.startswith("sw_ranking-all-minilm-l6-v2-layer-3@sha256:")
    assert shipped.embedder == "all-MiniLM-L6-v2-layer-3@sha256:53aa51172d14"
    assert (shipped.trained_pair.strong, shipped.trained_pair.weak) == ("gpt-4-1106-preview", "mixtral-8x7b-instruct-v0.1")


def test_a_prompt_scores_the_same_alone_and_in_any_batch(shipped: Router) -> None:
    """Order is kept and padding changes nothing."""
    texts = [*TEXTS, *("word " * n for n in range(28))]
    together = rates(shipped, texts)
    assert rates(shipped, texts[::-1]) == pytest.approx(together[::-1], abs=1e-6)
    assert [rates(shipped, [text])[0] for text in texts[:6]] == pytest.approx(together[:6], abs=1e-6)


def test_the_shipped_figures_are_those_the_issue_asked_for() -> None:
    """Held out by prompts, by domains, and GSM8K; storage costs nothing that matters."""
    figures = json.loads((SHIPPED_CHECKPOINT / "figures.json").read_text())
    assert figures["held_out"]["seen_domains"] >= 0.63
    assert figures["held_out"]["unseen_domains"] >= 0.53
    assert figures["held_out"]["gsm8k"] >= 0.50
    assert abs(figures["validation_apgr"] - figures["validation_apgr_float32"]) < 0.002
    assert figures["storage_error"]["max"] < 1e-3
