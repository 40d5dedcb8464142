"""bert's win rates, against RouteLLM's way of computing them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer

from pointsman.runtime.settings import StrategySettings
from scorers.bert.base import base_folder
from scorers.bert.classifier import load_classifier
from scorers.bert.router import SHIPPED_CHECKPOINT
from scorers.bert.window import Window
from scorers.precision import has_bfloat16, has_int8
from scorers.registry import build_router
from scorers.router import Router, ScoredPrompt, WinRate
from tests.unit.scorers.bert.public_layout import tokenizer, write_public
from tests.unit.scorers.bert.reference import prompts, rank_correlation, win_rates

PROMPTS = prompts(200)


def results(router: Router, texts: list[str]) -> list[WinRate]:
    """One per text; none may be missing."""
    found = router.calculate_strong_win_rates([ScoredPrompt(text) for text in texts])
    rates = [each for each in found if isinstance(each, WinRate)]
    assert len(rates) == len(texts)
    return rates


def rates(router: Router, texts: list[str]) -> list[float]:
    """The numbers alone."""
    return [each.strong_win_rate for each in results(router, texts)]


def built(**settings: Any) -> Router:
    """The router by these settings."""
    return build_router("bert", StrategySettings(**settings))


@pytest.fixture(scope="module")
def shipped() -> Router:
    """The checkpoint that ships, by the exact engine."""
    return built(options={"engine": "float32"})


@pytest.fixture(scope="module")
def wanted() -> list[float]:
    """The reference's numbers for the checkpoint that ships."""
    tokens = Tokenizer.from_file(str(base_folder() / "tokenizer.json"))
    return win_rates(load_classifier(SHIPPED_CHECKPOINT).model, tokens, PROMPTS, max_tokens=256)


def test_the_shipped_checkpoint_scores_as_the_reference_does(shipped: Router, wanted: list[float]) -> None:
    """200 prompts, within 1e-5 each."""
    assert rates(shipped, PROMPTS) == pytest.approx(wanted, abs=1e-5)
    assert max(wanted) - min(wanted) > 0.05


def test_routellms_layout_scores_as_routellm_does(tmp_path: Path) -> None:
    """XLM-RoBERTa's keys, vocabulary and positions; over-long prompts cut at the right after 512 tokens."""
    model = write_public(tmp_path)
    texts = [*PROMPTS[:-2], "code " * 600 + "x42 " * 5, "why " * 510]
    router = built(checkpoint=str(tmp_path), options={"engine": "float32"})
    reference = win_rates(model, tokenizer(), texts, max_tokens=512)
    found = results(router, texts)
    assert [each.strong_win_rate for each in found] == pytest.approx(reference, abs=1e-5)
    assert [each.truncated for each in found] == [False] * 198 + [True, False]
    assert max(reference) - min(reference) > 0.05


@pytest.mark.parametrize(
    "engine",
    [
        pytest.param("bfloat16", marks=pytest.mark.skipif(not has_bfloat16(), reason="this processor has no bfloat16 arithmetic")),
        pytest.param("int8", marks=pytest.mark.skipif(not has_int8(), reason="this processor has no int8 arithmetic")),
    ],
)
def test_a_faster_engine_keeps_the_order(engine: str, wanted: list[float]) -> None:
    """Rank correlation with the reference of at least 0.995; the difference is printed."""
    found = rates(built(options={"engine": engine}), PROMPTS)
    difference = float(np.abs(np.subtract(found, wanted)).mean())
    print(f"{engine}: mean absolute difference {difference:.2e}")  # noqa: T201
    assert rank_correlation(found, wanted) >= 0.995
    assert difference > 1e-6


def test_order_is_kept_and_padding_changes_nothing(shipped: Router) -> None:
    """Alone, in a batch, and in the batch turned round."""
    texts = PROMPTS[:40]
    together = rates(shipped, texts)
    assert rates(shipped, texts[::-1]) == pytest.approx(together[::-1], abs=1e-6)
    assert [rates(shipped, [text])[0] for text in texts] == pytest.approx(together, abs=1e-6)
    assert rates(shipped, []) == []


def test_of_an_over_long_prompt_both_ends_are_read_and_it_says_so(shipped: Router) -> None:
    """254 tokens beside the special ones: the middle doesn't matter, either end does."""
    start, end = "prove " * 127, "solve " * 127
    exact, long, longer, other_end, other_start = results(
        shipped, [start + end, start + "cell " * 50 + end, start + "cell " * 5000 + end, start * 3, end * 3]
    )
    assert [each.truncated for each in (exact, long, longer, other_end, other_start)] == [False, True, True, True, True]
    assert [long.strong_win_rate, longer.strong_win_rate] == pytest.approx([exact.strong_win_rate] * 2, abs=1e-6)
    assert abs(other_end.strong_win_rate - exact.strong_win_rate) > 1e-4
    assert abs(other_start.strong_win_rate - exact.strong_win_rate) > 1e-4


@pytest.mark.parametrize(("keeps", "kept"), [("head and tail", "<s> what what x42 x42 </s>"), ("head", "<s> what what what what </s>")])
def test_a_window_keeps_what_it_is_told_to(keeps: Any, kept: str) -> None:
    """Megabytes are cut before they're tokenised, and the ends are the same."""
    window = Window(tokenizer(), max_tokens=6, keeps=keeps)
    ids = [tokenizer().token_to_id(token) for token in kept.split()]
    for repeats in (4, 100_000):
        (found,) = window.read(["what " * repeats + "x42 " * repeats])
        assert (found.ids, found.truncated) == (ids, True)
    assert window.read(["what is the x42", ""])[0].truncated is False
    assert window.read([""])[0].ids == [0, 2]
