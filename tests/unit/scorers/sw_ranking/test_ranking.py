"""The ratings against RouteLLM's own way and against a plain optimiser; what storage costs; what can't be rated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scorers.errors import CheckpointRefused
from scorers.precision import has_int8
from scorers.sw_ranking.bradley_terry import comparable, fit_ratings, model_ratings
from scorers.sw_ranking.cosines import cosines_to
from scorers.sw_ranking.model import SimilarityWeightedRanking, Weighing, grouped
from scorers.sw_ranking.table import BattleTable, build_table, stored
from tests.unit.scorers.sw_ranking.arena import Arena, arena, bfgs_win_rate, upstream_win_rate

STRONG, WEAK = 1, 9  # models of groups 0 and 4


@pytest.fixture(scope="module")
def large() -> Arena:
    """50,000 battles."""
    return arena(50_000)


def small_table(*battles: tuple[int, int, int], groups: list[int]) -> BattleTable:
    """Battles whose prompts are all alike."""
    a, b, outcome = zip(*battles, strict=True)
    return build_table(np.ones((len(battles), 4), dtype=np.float32), a, b, outcome, groups)


@pytest.mark.parametrize("base", [10.0, 300.0])
def test_exact_agrees_with_bfgs_run_to_convergence(large: Arena, base: float) -> None:
    """50,000 battles of 20 models in 10 groups, to 1e-6."""
    ranking = SimilarityWeightedRanking(large.table, strong=STRONG, weak=WEAK, weighing=Weighing(base))
    wanted = [bfgs_win_rate(large.table, query, 0, 4, base) for query in large.queries]
    assert ranking.win_rates(large.queries).tolist() == pytest.approx(wanted, abs=1e-6)
    assert max(wanted) - min(wanted) > 1e-3


@pytest.mark.skipif(not has_int8(), reason="this processor has no int8 arithmetic")
@pytest.mark.parametrize(("base", "within"), [(10.0, 1e-6), (1e8, 1e-5)])
def test_products_of_integers_keep_the_ratings(large: Arena, base: float, within: float) -> None:
    """Over a table stored as int8, the same BFGS as above: a sharper base makes more of a cosine's last digits."""
    table = replace(large.table, embeddings=stored(large.table.embeddings, "int8"))
    ranking = SimilarityWeightedRanking(table, strong=STRONG, weak=WEAK, weighing=Weighing(base))
    wanted = [bfgs_win_rate(table, query, 0, 4, base) for query in large.queries]
    assert ranking.win_rates(large.queries).tolist() == pytest.approx(wanted, abs=within)
    queries = np.concatenate([large.queries, 0 * large.queries[:1], 1e-20 * large.queries[:1], large.queries[:1] * [1, *[0] * 23]])
    stored_as = (table.embeddings, table.embeddings.astype(np.float32))
    integers, floats = (cosines_to(embeddings)(queries.astype(np.float32)) for embeddings in stored_as)
    assert np.abs(integers - floats).max() < 2e-5


def test_compat_agrees_with_routellms_refit_by_scikit_learn(large: Arena) -> None:
    """The same-group quirk included, to 1e-4; exact is off by more, so the quirk is really there."""
    compat = SimilarityWeightedRanking(large.table, strong=STRONG, weak=WEAK, solver="compat").win_rates(large.queries)
    exact = SimilarityWeightedRanking(large.table, strong=STRONG, weak=WEAK).win_rates(large.queries)
    wanted = [upstream_win_rate(large.table, query, 0, 4) for query in large.queries]
    assert compat.tolist() == pytest.approx(wanted, abs=1e-4)
    assert np.abs(exact - wanted).min() > 5e-4


def test_without_battles_within_a_group_the_solvers_agree() -> None:
    """The phantom player has nobody to play."""
    small = arena(3000)
    table = replace(small.table, rating_group=np.arange(20, dtype=np.int16))
    exact, compat = (SimilarityWeightedRanking(table, strong=0, weak=5, solver=s).win_rates(small.queries) for s in ("exact", "compat"))
    assert exact.tolist() == pytest.approx(compat.tolist(), abs=1e-12)


def test_two_models_are_rated_by_the_weighted_share_of_wins() -> None:
    """For one pair Bradley-Terry is a vote, ties half to each; here the weights are 10 ** 2, 10 ** 1.6 and 10 ** 1.0."""
    embeddings = np.array([[1, 0], [0.6, 0.8], [0, 1]], dtype=np.float32)
    table = build_table(embeddings, [0, 0, 1], [1, 1, 0], [0, 2, 0], [0, 1])
    rate = SimilarityWeightedRanking(table, strong=0, weak=1).win_rates(np.array([[3, 0]], dtype=np.float32))
    weights = [10**2, 10**1.6, 10**1.0]
    assert rate[0] == pytest.approx((weights[0] + weights[1] / 2) / sum(weights), abs=1e-6)


def test_a_prompt_scores_the_same_alone_and_in_any_batch() -> None:
    """Order is kept, and no prompt's weights reach another."""
    small = arena(2000, queries=40)
    ranking = SimilarityWeightedRanking(small.table, strong=STRONG, weak=WEAK)
    together = ranking.win_rates(small.queries)
    assert ranking.win_rates(small.queries[::-1])[::-1].tolist() == pytest.approx(together.tolist(), abs=1e-7)
    assert ranking.win_rates(small.queries[7:8])[0] == pytest.approx(together[7], abs=1e-7)
    assert ranking.win_rates(small.queries[:0]).shape == (0,)


@pytest.mark.parametrize(("storage", "bound"), [("float16", 1e-5), ("int8", 2e-4)])
def test_stored_small_the_table_gives_nearly_the_same_rates(storage: str, bound: float) -> None:
    """A battle's embedding is off by at most 1/254 of its largest component, at random."""
    full = arena(20_000, queries=20)
    small = replace(full.table, embeddings=stored(full.table.embeddings, "int8" if storage == "int8" else "float16"))
    rates = [SimilarityWeightedRanking(t, strong=STRONG, weak=WEAK).win_rates(full.queries) for t in (full.table, small)]
    difference = np.abs(rates[0] - rates[1])
    assert 0 < difference.max() < bound
    assert small.embeddings.nbytes < full.table.embeddings.nbytes


def test_a_query_like_nothing_in_the_table_gets_the_unweighted_rate() -> None:
    """No cosine above zero, or no embedding at all: `s / max s` would mean nothing, and every battle counts alike."""
    small = arena(2000)
    table = replace(small.table, embeddings=np.abs(small.table.embeddings))
    ranking = SimilarityWeightedRanking(table, strong=STRONG, weak=WEAK)
    unweighted = SimilarityWeightedRanking(table, strong=STRONG, weak=WEAK, weighing=Weighing(1 + 1e-9)).win_rates(small.queries[:1])
    opposite = -np.abs(small.queries[:1])
    assert ranking.win_rates(np.concatenate([opposite, 0 * opposite])).tolist() == pytest.approx([unweighted[0]] * 2, abs=1e-6)


def test_a_query_that_is_no_number_has_no_rate_and_spoils_no_other() -> None:
    """NaN for it alone."""
    small = arena(2000, queries=3)
    ranking = SimilarityWeightedRanking(small.table, strong=STRONG, weak=WEAK)
    broken = small.queries.copy()
    broken[1, 3] = np.nan
    rates = ranking.win_rates(broken)
    assert np.isnan(rates).tolist() == [False, True, False]
    assert rates[[0, 2]].tolist() == pytest.approx(ranking.win_rates(small.queries)[[0, 2]].tolist(), abs=1e-7)


@pytest.mark.parametrize(
    ("battles", "groups", "said"),
    [
        ([(0, 1, 0), (0, 1, 0)], [0, 1], "connect the strong and the weak model both ways"),
        ([(0, 2, 2), (1, 3, 2)], [0, 1, 2, 3], "connect the strong and the weak model both ways"),
        ([(0, 1, 2)], [0, 0], "in one rating group"),
    ],
    ids=["one side never loses", "they never meet", "one group"],
)
def test_a_pair_that_no_battle_can_rate_is_refused(battles: list[tuple[int, int, int]], groups: list[int], said: str) -> None:
    """The maximum would lie at infinity, or isn't there: a sentence at load and not a number at random."""
    with pytest.raises(CheckpointRefused, match=said):
        SimilarityWeightedRanking(small_table(*battles, groups=groups), strong=0, weak=1)


def test_a_group_that_never_wins_leaves_the_others_rates_alone() -> None:
    """Its rating is minus infinity, which says nothing about the rest."""
    battles = [(0, 1, 0), (0, 1, 0), (0, 1, 1)]
    alone = SimilarityWeightedRanking(small_table(*battles, groups=[0, 1]), strong=0, weak=1)
    beside = SimilarityWeightedRanking(small_table(*battles, (0, 2, 0), (1, 2, 0), (1, 2, 0), groups=[0, 1, 2]), strong=0, weak=1)
    query = np.ones((1, 4), dtype=np.float32)
    assert beside.win_rates(query)[0] == pytest.approx(alone.win_rates(query)[0]) == pytest.approx(2 / 3)


def test_newton_finds_the_maximum_from_afar() -> None:
    """A lopsided chain, where an undamped step would fly off: the gradient vanishes."""
    wins = np.zeros((1, 6, 6))
    for i in range(5):
        wins[0, i, i + 1], wins[0, i + 1, i] = 1e4, 1e-2
    ratings = fit_ratings(wins)[0]
    assert np.diff(ratings) == pytest.approx([-np.log(1e6)] * 5, abs=1e-6)
    assert ratings.mean() == pytest.approx(0, abs=1e-9)


def test_players_are_comparable_when_wins_and_ties_connect_them_both_ways() -> None:
    """0, 1 and 2 beat each other in a ring; 3 only loses."""
    wins = np.zeros((4, 4))
    wins[0, 1] = wins[1, 2] = wins[2, 0] = wins[0, 3] = 1
    assert comparable(wins, 0).tolist() == [0, 1, 2]
    assert comparable(wins, 3).tolist() == [3]
    assert np.isfinite(model_ratings(wins)).all()


def test_models_are_grouped_by_the_strength_they_showed() -> None:
    """The arena's models are numbered by strength, so the groups ascend with the number."""
    groups = grouped(arena(20_000).table, 5)
    assert (np.diff(groups) >= 0).all()
    assert set(groups.tolist()) == {0, 1, 2, 3, 4}


def test_other_groups_may_be_asked_of_a_table() -> None:
    """Twenty groups of one model give another rate than ten of two."""
    small = arena(5000)
    asked = SimilarityWeightedRanking(small.table, strong=STRONG, weak=WEAK, groups=20)
    wanted = bfgs_win_rate(replace(small.table, rating_group=np.arange(20, dtype=np.int16)), small.queries[0], STRONG, WEAK)
    assert asked.win_rates(small.queries[:1])[0] == pytest.approx(wanted, abs=1e-6)
