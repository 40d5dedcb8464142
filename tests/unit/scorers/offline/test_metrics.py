"""Figures of an order of prompts, by both arithmetics, and the baselines beside them."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scorers.offline.baselines import baselines, oracle_curve
from scorers.offline.benchmarks import STRONG_COLUMN, WEAK_COLUMN
from scorers.offline.labelled import load_labelled
from scorers.offline.metrics import MOST_RESAMPLED, ExactOrder, apgr, curve, figures, with_intervals
from scorers.offline.upstream_metrics import UpstreamOrder
from scorers.random.router import RandomRouter
from scorers.router import ScoredPrompt, WinRate

_BENCHMARKS = Path(__file__).parents[5] / "shared/data/benchmarks"


def test_the_figures_are_those_of_a_curve_drawn_by_hand() -> None:
    """Four prompts, best order: strong gains on the first two; half of the calls recover all, a tenth recovers a fifth."""
    found = figures([0.9, 0.8, 0.2, 0.1], weak=[0, 0, 1, 1], strong=[1, 1, 1, 1])
    assert found.apgr == pytest.approx(0.75)
    assert (found.cpt20, found.cpt50, found.cpt80) == pytest.approx((0.1, 0.25, 0.4))
    assert found.auc == pytest.approx(0.5 + 0.5 * 0.75)


def test_the_first_crossing_counts_where_the_curve_falls_again() -> None:
    """Strong right, strong wrong, strong right twice: a fifth and a half are reached before the fall."""
    found = figures([4, 3, 2, 1], weak=[0, 1, 0, 0], strong=[1, 0, 1, 1])
    assert (found.cpt20, found.cpt50) == pytest.approx((0.1, 0.25))


def test_ties_move_together_whatever_their_order() -> None:
    """A constant score is a straight line: 0.5, and each share recovers itself."""
    draw = random.Random(1)
    strong = [draw.choice([0.0, 1.0]) for _ in range(99)] + [1.0]
    found = figures([0.3] * 100, weak=[0.0] * 100, strong=strong)
    assert (found.apgr, found.cpt20, found.cpt80) == pytest.approx((0.5, 0.2, 0.8))


def test_without_a_gap_there_is_nothing_to_recover() -> None:
    """NaN, and the area under quality all the same."""
    found = figures([1, 2], weak=[1, 0], strong=[0, 1])
    assert np.isnan(found.apgr)
    assert np.isnan(found.cpt50)
    assert np.isfinite(found.auc)


def test_an_interval_holds_its_figure_and_narrows_with_more_rows() -> None:
    """Percentiles of resampled rows."""
    draw = np.random.default_rng(0)

    def width(n: int) -> float:
        strong = (draw.random(n) < 0.7).astype(float)
        found = with_intervals(draw.random(n), np.zeros(n), strong, draws=200, seed=1)
        assert found["apgr_low"] < found["apgr"] < found["apgr_high"]
        return found["apgr_high"] - found["apgr_low"]

    assert width(4000) < width(100)


@pytest.mark.parametrize("arithmetic", [ExactOrder, UpstreamOrder])
def test_intervals_of_smaller_resamples_are_those_of_whole_ones(arithmetic: type[ExactOrder] | type[UpstreamOrder]) -> None:
    """Within what 400 draws leave open, a fifth of a width; so the work for a long file is bounded. Fewer rows are resampled whole."""
    draw = np.random.default_rng(3)
    scores, n = draw.random(20_000), 20_000
    weak, strong = (draw.random(n) < 0.6).astype(float), (draw.random(n) < 0.6 + 0.3 * scores).astype(float)

    def found(most: int) -> Mapping[str, float]:
        return with_intervals(scores, weak, strong, draws=400, seed=0, arithmetic=arithmetic, most=most)

    whole, smaller = found(n), found(4000)
    for name in ("apgr", "auc", "cpt20", "cpt50", "cpt80"):
        width = whole[f"{name}_high"] - whole[f"{name}_low"]
        assert smaller[name] == whole[name]
        for end in ("low", "high"):
            assert smaller[f"{name}_{end}"] == pytest.approx(whole[f"{name}_{end}"], abs=width / 5)
    assert found(MOST_RESAMPLED) == whole


@pytest.mark.parametrize("arithmetic", [ExactOrder, UpstreamOrder])
def test_a_constant_score_recovers_each_share_at_its_own_cost(arithmetic: type[ExactOrder] | type[UpstreamOrder]) -> None:
    """All prompts move at once; so do they in every resample, and RouteLLM's ten equal edges are one."""
    weak, strong = [0.0, 1.0, 0.0, 0.0] * 10, [1.0, 0.0, 1.0, 1.0] * 10
    found = with_intervals([0.3] * 40, weak, strong, draws=20, seed=0, arithmetic=arithmetic)
    for name, expected in {"apgr": 0.5, "cpt20": 0.2, "cpt50": 0.5, "cpt80": 0.8}.items():
        assert (found[name], found[f"{name}_low"], found[f"{name}_high"]) == pytest.approx((expected,) * 3)
    points = curve([0.3] * 40, weak, strong, arithmetic)
    assert (points.shares.tolist(), points.quality.tolist()) == ([0, 1], [0.25, 0.75])


def test_outcomes_of_many_digits_that_gain_nothing_have_no_figures() -> None:
    """0.1 + 0.2 - 0.3 isn't 0 in doubles; recovered shares of such a rest would be noise."""
    for arithmetic in (ExactOrder, UpstreamOrder):
        found = with_intervals([3, 2, 1], [0, 0, 0.3], [0.1, 0.2, 0], draws=0, seed=0, arithmetic=arithmetic)
        assert np.isnan(found["apgr"])
        assert np.isnan(found["cpt50_low"])


@pytest.mark.parametrize(("n", "seed"), [(11, 0), (57, 1), (101, 2), (1000, 3), (1001, 4)])
def test_upstreams_figures_are_those_of_pandas_tenths(n: int, seed: int) -> None:
    """At each of qcut's edges a separate count; where n - 1 is a multiple of ten an edge is a score, and rounding decides."""
    draw = np.random.default_rng(seed)
    frame = pd.DataFrame({"score": draw.random(n), "weak": draw.random(n) < 0.4, "strong": draw.random(n) < 0.8})
    _, edges = pd.qcut(frame["score"], 10, retbins=True)
    chosen = [frame["score"] > edge if place == 10 else frame["score"] >= edge for place, edge in enumerate(edges)]
    shares = np.array([each.mean() for each in chosen])[::-1]
    accuracy = np.array([frame["strong"].where(each, frame["weak"]).mean() for each in chosen])[::-1]
    weak, strong, auc = frame["weak"].mean(), frame["strong"].mean(), np.trapezoid(accuracy, shares)
    columns = frame.astype(float).to_numpy().T
    points = curve(columns[0], columns[1], columns[2], UpstreamOrder)
    found = figures(columns[0], columns[1], columns[2], UpstreamOrder)
    assert (points.shares.tolist(), points.quality.tolist()) == (shares.tolist(), accuracy.tolist())
    assert (found.auc, found.apgr) == pytest.approx((auc, (auc - weak) / (strong - weak)), rel=1e-12)
    for level, cost in ((0.2, found.cpt20), (0.5, found.cpt50), (0.8, found.cpt80)):
        assert cost == pytest.approx(np.interp(level * (strong - weak) + weak, accuracy, shares), rel=1e-12)


def test_tied_scores_on_which_upstream_raises_have_a_point_for_each_edge_that_is_left() -> None:
    """Three values: all at or above the lowest, then the middle, then the highest, then none."""
    scores, weak, strong = [0.1] * 5 + [0.5] * 10 + [0.9] * 5, [0.0] * 20, [0.0] * 10 + [1.0] * 10
    with pytest.raises(ValueError, match="Bin edges must be unique"):
        pd.qcut(scores, 10)
    points = curve(scores, weak, strong, UpstreamOrder)
    assert (points.shares.tolist(), points.quality.tolist()) == ([0, 0.25, 0.75, 1], [0, 0.25, 0.5, 0.5])
    assert figures(scores, weak, strong, UpstreamOrder) == figures(scores, weak, strong)


def test_the_oracle_sends_first_what_gains_and_last_what_loses() -> None:
    """Two gains, a tie and a loss: all is recovered, and more, by half of the calls."""
    weak, strong = np.array([1.0, 0, 1, 0]), np.array([0.0, 1, 1, 1])
    points = oracle_curve(weak, strong)
    assert (points.shares.tolist(), points.quality.tolist()) == ([0, 0.25, 0.5, 0.75, 1], [0.5, 0.75, 1, 1, 0.75])
    found = baselines(weak, strong)
    assert (found.always_weak, found.always_strong, found.best_single) == (0.5, 0.75, 0.75)
    assert (found.random_order.apgr, found.random_order.cpt80, found.random_order.auc) == (0.5, 0.8, 0.625)
    assert found.oracle == figures(strong - weak, weak, strong)
    assert baselines(strong, weak).best_single == 0.75


def _by_pandas() -> dict[str, pd.DataFrame]:
    """RouteLLM's files read a second way: weak and strong outcomes of the prompts that aren't on the lists."""
    listed = {name: pd.read_json(_BENCHMARKS / name / "contaminated_prompts.jsonl", lines=True) for name in ("mmlu", "gsm8k", "mt_bench")}
    contaminated = pd.concat([listed["mmlu"], listed["gsm8k"]])["eval_prompt"]
    files = {"mmlu": sorted((_BENCHMARKS / "mmlu/responses").glob("*.csv")), "gsm8k": [_BENCHMARKS / "gsm8k/gsm8k_responses.csv"]}
    frames = {}
    for name, paths in files.items():
        frame = pd.concat([pd.read_csv(path, dtype=str, keep_default_na=False) for path in paths])
        frame = frame[~frame["prompt"].isin(contaminated)]
        frames[name] = pd.DataFrame({"weak": frame[WEAK_COLUMN] == "True", "strong": frame[STRONG_COLUMN] == "True"}).astype(float)
    means = pd.read_json(_BENCHMARKS / "mt_bench/judgements.jsonl", lines=True).pivot_table("score", "question_id", "model")
    questions = pd.read_json(_BENCHMARKS / "mt_bench/question.jsonl", lines=True).explode("turns")
    bad = questions[questions["turns"].str.strip().isin(listed["mt_bench"]["eval_prompt"].str.strip())]["question_id"]
    means = means[~means.index.isin(bad)]
    return {**frames, "mt_bench": pd.DataFrame({"weak": means[WEAK_COLUMN], "strong": means[STRONG_COLUMN]})}


@pytest.mark.skipif(not _BENCHMARKS.is_dir(), reason="RouteLLM's benchmark files aren't here")
def test_each_models_and_the_oracles_quality_are_what_pandas_says() -> None:
    """To the last bit, at a fifth, half and all but one of the calls."""
    ours, theirs = load_labelled(_BENCHMARKS), _by_pandas()
    assert ours.keys() == theirs.keys()
    for name, frame in theirs.items():
        weak, strong = np.array([[row.weak, row.strong] for row in ours[name]], np.float64).T
        assert len(weak) == len(frame)
        found, best = baselines(weak, strong), oracle_curve(weak, strong)
        assert (found.always_weak, found.always_strong) == (frame["weak"].mean(), frame["strong"].mean())
        gains = (frame["strong"] - frame["weak"]).sort_values(ascending=False)
        for calls in (len(frame) // 5, len(frame) // 2, len(frame) - 1):
            quality = (frame["weak"].sum() + gains.head(calls).sum()) / len(frame)
            assert best.quality_at(calls / len(frame)) == quality


@pytest.mark.skipif(not _BENCHMARKS.is_dir(), reason="RouteLLM's benchmark files aren't here")
def test_random_recovers_half_of_the_gap() -> None:
    """On each benchmark the mean of 100 seeded draws is within 0.02 of 0.5; one draw strays by 0.07 on MT Bench's 72 prompts."""
    for rows in load_labelled(_BENCHMARKS).values():
        gains = [row.strong - row.weak for row in rows]
        routers = [RandomRouter(seed) for seed in range(100)]
        prompts = [ScoredPrompt("x")] * len(rows)
        drawn = [
            apgr([each.strong_win_rate for each in router.calculate_strong_win_rates(prompts) if isinstance(each, WinRate)], gains)
            for router in routers
        ]
        assert np.mean(drawn) == pytest.approx(0.5, abs=0.02)


def test_apgr_alone_is_the_same_figure() -> None:
    """From gains instead of outcomes."""
    scores, weak, strong = [0.3, 0.1, 0.2], [0, 1, 0], [1, 1, 1]
    assert apgr(scores, np.subtract(strong, weak)) == figures(scores, weak, strong).apgr
