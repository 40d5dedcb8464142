"""Labelled data, the figures of an order, and the command that prints them."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scorers.errors import InvalidData
from scorers.offline.benchmarks import load_outcomes
from scorers.offline.evaluate import main
from scorers.offline.labelled import Labelled, load_labelled
from scorers.offline.metrics import apgr, figures, with_intervals
from tests.unit.scorers.routellm_files import write_files, write_mt_bench


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


def test_apgr_alone_is_the_same_figure() -> None:
    """From gains instead of outcomes."""
    scores, weak, strong = [0.3, 0.1, 0.2], [0, 1, 0], [1, 1, 1]
    assert apgr(scores, np.subtract(strong, weak)) == figures(scores, weak, strong).apgr


def test_csv_json_lines_and_parquet_read_the_same(tmp_path: Path) -> None:
    """Numbers, true and false; quoted newlines; a byte order mark."""
    (tmp_path / "a.csv").write_text('\ufeffprompt,weak,strong\n"two\nlines",0,1\nüber,False,TRUE\n', encoding="utf-8")
    (tmp_path / "a.jsonl").write_text(
        '{"prompt": "two\\nlines", "weak": 0, "strong": 1.0}\n\n{"prompt": "über", "weak": false, "strong": true}\n'
    )
    rows = [Labelled("two\nlines", 0, 1), Labelled("über", 0, 1)]
    assert load_labelled(tmp_path / "a.csv") == {"a": rows}
    assert load_labelled(tmp_path / "a.jsonl") == {"a": rows}
    table = pa.table({"prompt": ["two\nlines", "über"], "weak": [0, 0], "strong": [True, True], "more": [1, 2]})
    pq.write_table(table, tmp_path / "a.parquet")
    assert load_labelled(tmp_path / "a.parquet") == {"a": rows}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"", "no column prompt, weak, strong; there are: none"),
        ("a.csv", b"prompt,weak\nx,1\n", "no column strong; there are: prompt, weak"),
        ("a.csv", b"prompt,weak,strong\n", "has no rows"),
        ("a.csv", b"prompt,weak,strong\nx,1,1\ny,nan,1\n", "row 2: weak is 'nan'"),
        ("a.csv", b"prompt,weak,strong\nx,1\n", "row 1: strong is 'none'"),
        ("a.csv", b"prompt,weak,strong\n ,1,1\n", "row 1: prompt is empty"),
        ("a.csv", b"prompt,weak,strong\n\xff,1,1\n", "not UTF-8 at byte 19"),
        ("a.jsonl", b"[1]\n", "line 1: not an object"),
        ("a.jsonl", b'{"prompt": "x", "weak": 0, "strong": 1}\n{"pro', "line 2: not JSON"),
        ("a.jsonl", b'{"prompt": 5, "weak": 0, "strong": 1}\n', "row 1: prompt is empty or not text"),
        ("a.parquet", b"PAR1", "not a Parquet file"),
        ("a.xlsx", b"", "a .csv, .jsonl or .parquet file"),
    ],
)
def test_bad_data_is_named_by_row(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    """File, row, field."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidData) as caught:
        load_labelled(tmp_path / name)
    assert said in caught.value.message
    assert str(tmp_path / name) in caught.value.message


def test_a_folder_of_routellms_has_mt_bench_decontaminated_and_by_the_mean_of_both_turns(tmp_path: Path) -> None:
    """Routed on the first turn; a question one of whose turns is on the list is left out; nothing else reads it."""
    write_files(tmp_path)
    write_mt_bench(tmp_path, dropped=1)
    found = load_labelled(tmp_path)
    assert list(found) == ["mmlu", "gsm8k", "mt_bench"]
    assert found["mt_bench"] == [Labelled(f"question {n}", 5.5 - n, 9.0) for n in (0, 2, 3)]
    assert not any(o.prompt.startswith("question") for o in load_outcomes(tmp_path))
    validation = load_labelled(tmp_path, validation_only=True)
    assert {row.prompt for row in validation["mmlu"]} < {row.prompt for row in found["mmlu"]}
    assert validation["mt_bench"] == found["mt_bench"]


def test_mt_bench_with_a_score_missing_is_refused(tmp_path: Path) -> None:
    """By question."""
    write_files(tmp_path)
    judgements = write_mt_bench(tmp_path) / "judgements.jsonl"
    judgements.write_text("\n".join(judgements.read_text().splitlines()[1:]))
    with pytest.raises(InvalidData, match="question 0 hasn't 2 scores"):
        load_labelled(tmp_path)


def test_the_command_takes_the_benchmarks_that_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a folder; one that isn't there is an error, and so is a split of a file."""
    write_files(tmp_path)
    write_mt_bench(tmp_path)
    data = ["--data", str(tmp_path), "--strategies", "random", "--json", "--draws", "5"]
    assert main([*data, "--split", "validation", "--benchmarks", "gsm8k,mt_bench"]) == 0
    assert [json.loads(line)["benchmark"] for line in capsys.readouterr().out.splitlines()] == ["gsm8k", "mt_bench"]
    assert main([*data, "--benchmarks", "arc"]) == 2
    assert "there are: mmlu, gsm8k, mt_bench" in capsys.readouterr().err
    (tmp_path / "a.csv").write_text("prompt,weak,strong\nx,0,1\n")
    assert main(["--data", str(tmp_path / "a.csv"), "--strategies", "random", "--split", "validation"]) == 2


def test_the_command_prints_one_object_per_strategy_and_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every figure with its interval; the win rates go to their file."""
    data, scores = tmp_path / "some.csv", tmp_path / "scores.jsonl"
    data.write_text("prompt,weak,strong\n" + "".join(f"prompt {n},{n % 2},1\n" for n in range(200)))
    assert main(["--data", str(data), "--strategies", "random", "--json", "--draws", "50", "--scores", str(scores)]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    result = json.loads(line)
    assert (result["strategy"], result["benchmark"], result["n"], result["weak"], result["strong"]) == ("random", "some", 200, 0.5, 1)
    for name in ("apgr", "auc", "cpt20", "cpt50", "cpt80"):
        assert result[f"{name}_low"] <= result[name] <= result[f"{name}_high"]
    written = [json.loads(line) for line in scores.read_text().splitlines()]
    assert [row["index"] for row in written] == list(range(200))
    assert all(0 <= row["strong_win_rate"] < 1 for row in written)


@pytest.mark.parametrize("strategy", ["nope", "random,nope"])
def test_the_command_names_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str], strategy: str) -> None:
    """Exit code 2, and nothing on standard output."""
    data = tmp_path / "some.csv"
    data.write_text("prompt,weak,strong\nx,0,1\n")
    assert main(["--data", str(data), "--strategies", strategy, "--json"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "No strategy is named 'nope'" in printed.err
