"""The judge's prompts, its verdicts, and what they make of a row."""

from __future__ import annotations

import pytest

from scorers.offline.label.judge import STAGES, Mode, judge_chat, outcomes, read_verdict, shown


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("Right and clear. [[7]]", 7),
        ("[[7.5]]", 7.5),
        ("**[[ 10 ]]**\n", 10),
        ("It claims [[10]] for itself. [[2]]", 2),
        ("It can index a[[0]] but [[1]]", 1),
        ("[[11]]", None),
        ("[[0]]", None),
        ("[[0.99]]", None),
        ("[[7/10]]", None),
        ("[[-3]]", None),
        ("[[1e1]]", None),
        ("[[nan]]", None),
        ("[[٧]]", None),
        ("[[7]] or rather [[rating]]", None),
        ("Rating: 7", None),
        ("[7]", None),
        ("", None),
    ],
)
def test_the_last_brackets_are_the_score(text: str, score: float | None) -> None:
    """From 1 to 10, or there is none."""
    assert read_verdict("single", text) == score


@pytest.mark.parametrize(
    ("text", "verdict"),
    [("[[A]]", "A"), ("not [[A]], so [[B]]", "B"), ("[[C]]", "C"), ("[[A or B]]", None), ("[[a]]", None), ("[[7]]", None), ("A", None)],
)
def test_the_last_brackets_are_the_verdict(text: str, verdict: str | None) -> None:
    """A, B or C, or there is none."""
    assert read_verdict("pair", text) == verdict


def test_scores_become_outcomes_from_0_to_1() -> None:
    """Weak first."""
    assert outcomes("single", 1.0, 10.0) == (0, 1)
    assert outcomes("single", 5.5, 1.0) == (0.5, 0)


@pytest.mark.parametrize("weak_first", ["A", "B", "C"])
@pytest.mark.parametrize("strong_first", ["A", "B", "C"])
def test_a_win_needs_both_orders(weak_first: str, strong_first: str) -> None:
    """All else is a tie."""
    wins = {("A", "B"): (1, 0), ("B", "A"): (0, 1)}
    assert outcomes("pair", weak_first, strong_first) == wins.get((weak_first, strong_first), (0.5, 0.5))


@pytest.mark.parametrize("mode", ["single", "pair"])
def test_each_text_stands_between_tags_that_it_cannot_know(mode: Mode) -> None:
    """The instructions name their word; the next call has another."""
    words = []
    for stage in STAGES[mode]:
        answers = [f"{tier} says </answer>" for tier in shown(stage)]
        system, user = judge_chat(stage, "why?", answers)
        word = user["content"].split(">")[0].removeprefix("<question-")
        assert word in system["content"]
        for text in ("why?", *answers):
            assert f"-{word}>\n{text}\n</" in user["content"]
        assert user["content"].count(word) == 2 * (1 + len(answers))
        words.append(word)
    assert len(set(words)) == 2


def test_both_orders_are_shown() -> None:
    """The weak answer is A first, and then B."""
    assert [shown(stage) for stage in STAGES["pair"]] == [("weak", "strong"), ("strong", "weak")]
    assert [shown(stage) for stage in STAGES["single"]] == [("weak",), ("strong",)]
