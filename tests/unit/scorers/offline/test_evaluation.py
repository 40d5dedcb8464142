"""The command: its JSON, its table, its plots, and data that it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

from scorers.offline.evaluate import main
from scorers.offline.marks import Mark, columns, marked
from scorers.offline.picture import Drawing, Plotted
from scorers.offline.plots import write_plots
from tests.unit.scorers.routellm_files import write_files, write_mt_bench

_HEADER = b"prompt,weak,strong\n"


def test_the_command_takes_the_benchmarks_that_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a folder; one that isn't there is an error, and so is a split of a file."""
    write_files(tmp_path)
    write_mt_bench(tmp_path)
    data = ["--data", str(tmp_path), "--strategies", "random", "--json", "--draws", "5"]
    assert main([*data, "--split", "validation", "--benchmarks", "gsm8k,mt_bench"]) == 0
    assert [json.loads(line)["benchmark"] for line in capsys.readouterr().out.splitlines()] == ["gsm8k", "mt_bench"]
    assert main([*data, "--benchmarks", "arc"]) == 2
    assert "there are: gsm8k, mmlu, mt_bench" in capsys.readouterr().err
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


def _no_constants(name: str) -> NoReturn:
    raise AssertionError(f"{name} isn't JSON")


def _objects(printed: str) -> list[dict[str, Any]]:
    return [json.loads(line, parse_constant=_no_constants) for line in printed.splitlines()]


@pytest.mark.parametrize("metrics", ["exact", "upstream"])
def test_each_object_has_its_benchmarks_baselines(tmp_path: Path, capsys: pytest.CaptureFixture[str], metrics: str) -> None:
    """As one field; they are no strategies. Without intervals, and without a random order's costs."""
    write_files(tmp_path)
    command = ["--data", str(tmp_path), "--strategies", "random", "--json", "--draws", "5", "--metrics", metrics]
    assert main([*command, "--benchmarks", "gsm8k"]) == 0
    (found,) = _objects(capsys.readouterr().out)
    assert (found["strategy"], found["metrics"]) == ("random", metrics)
    base = found["baselines"]
    assert (base["always_weak"], base["always_strong"], base["best_single"]) == (found["weak"], found["strong"], found["strong"])
    assert base["random_order"] == {"apgr": 0.5, "auc": (found["weak"] + found["strong"]) / 2}
    assert base["oracle"].keys() == {"apgr", "auc", "cpt20", "cpt50", "cpt80"}
    assert base["oracle"]["apgr"] > 1 > found["apgr"]


def test_the_table_has_the_baselines_as_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Under each benchmark's strategies; a file's name is no markup."""
    (tmp_path / "some[red].csv").write_bytes(_HEADER + b"x,0,1\ny,1,1\n")
    assert main(["--data", str(tmp_path / "some[red].csv"), "--strategies", "random", "--draws", "5"]) == 0
    rows = [line.split()[3] for line in capsys.readouterr().out.splitlines() if "some[red]" in line]
    assert rows == ["random", "oracle", "random_order", "always_weak", "always_strong", "best_single"]


@pytest.mark.parametrize("rows", [b"x,1,1\n", b"x,0,1\n", b"x,0,1\n" * 9, b"x,0,0\ny,1,1\n"])
def test_few_or_repeated_prompts_get_an_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str], rows: bytes) -> None:
    """One row, one prompt many times, models that are alike: a figure that there isn't is null, and the plots are drawn."""
    (tmp_path / "some.csv").write_bytes(_HEADER + rows)
    for metrics in ("exact", "upstream"):
        command = ["--data", str(tmp_path / "some.csv"), "--strategies", "random", "--draws", "5", "--metrics", metrics]
        assert main([*command, "--json", "--plots", str(tmp_path / metrics)]) == 0
        (found,) = _objects(capsys.readouterr().out)
        assert found["n"] == rows.count(b"\n")
        assert (found["apgr"] is None) == (found["strong"] == found["weak"])
        assert (tmp_path / metrics / "some.png").is_file()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no column prompt, weak, strong"),
        (_HEADER, "has no rows"),
        (_HEADER + b"x,0,1\ny,nan,1\n", "row 2: weak is 'nan'"),
        (_HEADER + b'x,0,1\n"y,0,1\n', "row 2: a quote is never closed"),
        (_HEADER + b"x\0,0,1\n", "row 1: prompt has a NUL byte"),
        (b"question,weak,strong\nx,0,1\n", "no column prompt; there are: question"),
        (_HEADER + b"x,[/red],1\n", "row 1: weak is '[/red]'"),
    ],
)
def test_the_command_refuses_miswritten_data(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, said: str) -> None:
    """Exit code 2, the file and row on standard error in the file's own words, nothing on standard output, no plots."""
    (tmp_path / "some.csv").write_bytes(content)
    assert main(["--data", str(tmp_path / "some.csv"), "--strategies", "random", "--json", "--plots", str(tmp_path / "plots")]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert said in printed.err
    assert "some.csv" in printed.err
    assert not (tmp_path / "plots").exists()


def test_the_plots_are_a_png_and_an_svg_for_each_benchmark(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whole, in place of earlier ones, with each strategy's APGR; the same figures as on standard output."""
    write_files(tmp_path / "data")
    write_mt_bench(tmp_path / "data")
    command = ["--data", str(tmp_path / "data"), "--strategies", "random", "--draws", "5", "--json", "--plots", str(tmp_path / "plots")]
    for _ in range(2):
        assert main([*command, "--benchmarks", "gsm8k,mt_bench"]) == 0
    assert sorted(file.name for file in (tmp_path / "plots").iterdir()) == ["gsm8k.png", "gsm8k.svg", "mt_bench.png", "mt_bench.svg"]
    assert (tmp_path / "plots/gsm8k.png").read_bytes().startswith(b"\x89PNG")
    svg = (tmp_path / "plots/gsm8k.svg").read_text()
    assert svg.rstrip().endswith("</svg>")
    found = [each for each in _objects(capsys.readouterr().out) if each["benchmark"] == "gsm8k"][-1]
    for words in ("gsm8k, n = 48", f"APGR {found['apgr']:.2f}", "oracle", "random order", "always weak", "always strong"):
        assert f"<!-- {words}" in svg


def test_a_cost_gives_every_benchmark_a_picture_against_money(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In place of shares; by the settings' prices it names the currency. Thresholds of the marked shares stand below both."""
    write_files(tmp_path / "data")
    prices = "prices: {prompt_per_million: %s, completion_per_million: %s, currency: EUR}"
    backend = "{base_url: 'http://127.0.0.1:1/v1', model: %s, %s}"
    strong, weak = (backend % (name, prices % each) for name, each in (("big", (10, 30)), ("small", (1, 3))))
    (tmp_path / "settings.yaml").write_text(
        f"backends: {{strong: {strong}, weak: {weak}}}\nstrategies: {{random: {{options: {{seed: 1}}}}}}\n"
    )
    command = [
        "--data",
        str(tmp_path / "data"),
        "--strategies",
        "random",
        "--draws",
        "5",
        "--json",
        "--settings",
        str(tmp_path / "settings.yaml"),
    ]
    command += ["--benchmarks", "gsm8k", "--plots", str(tmp_path / "plots"), "--mark", "0.25", "0.5"]
    for how, said in ((["--cost", "10", "1"], "Cost of 1,000 requests"), (["--tokens", "100", "200"], "Cost of 1,000 requests (EUR)")):
        assert main([*command, *how]) == 0
        svg = (tmp_path / "plots/gsm8k-money.svg").read_text()
        for words in (said, "25 % strong", "50 % strong", "threshold at", "APGR"):
            assert f"<!-- {words}" in svg
    assert sorted(file.suffix for file in (tmp_path / "plots").iterdir()) == [".png", ".png", ".svg", ".svg"]
    assert "<!-- Calls sent to the strong model -->" in (tmp_path / "plots/gsm8k.svg").read_text()
    assert "Calls sent" not in svg
    capsys.readouterr()


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (["--cost", "1", "1"], "Strong must cost more than weak"),
        (["--tokens", "95", "264"], "backends.strong.prices isn't set"),
        (["--tokens", "95", "264", "--pair", "other"], "no pair is named 'other'"),
    ],
)
def test_costs_that_are_none_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], how: list[str], said: str) -> None:
    """Before anything is scored."""
    (tmp_path / "some.csv").write_bytes(_HEADER + b"x,0,1\n")
    assert main(["--data", str(tmp_path / "some.csv"), "--strategies", "random", *how, "--plots", str(tmp_path / "plots")]) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "plots").exists()


def test_a_mark_is_a_quantile_and_what_it_sends() -> None:
    """With digits enough to tell shares apart in a narrow range; tied scores send more than was asked for."""
    scores = np.linspace(0.2, 0.21, 101)
    (mark,) = marked(scores, [0.3])
    assert mark.threshold == pytest.approx(0.207)
    assert mark.sent == 31 / 101
    assert mark.text == "0.20700"
    assert marked([0.5] * 10, [0.2])[0] == Mark(0.5, 1.0, "0.500")


def test_the_values_of_marks_that_are_close_get_room() -> None:
    """In the marks' order, within the axis, as near to their places as that leaves."""
    assert columns([0.8, 0.2, 0.5]) == [0.8, 0.2, 0.5]
    near = columns([0.98, 0.99, 1.0, 0.1])
    assert near[2] == 1
    assert near[3] == 0.1
    assert min(np.diff(sorted(near))) > 0.1


def test_a_long_curve_is_drawn_by_part_of_its_points(tmp_path: Path) -> None:
    """So that the picture of two million prompts is no larger than another."""
    draw = np.random.default_rng(0)
    weak, strong = draw.integers(0, 2, (2, 100_000)).astype(float)
    write_plots(tmp_path, [Plotted("many", {"mf": draw.random(100_000).tolist()}, weak, strong)], Drawing(marks=(0.5,)))
    assert (tmp_path / "many.svg").stat().st_size < 300_000


def test_no_plot_is_half_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither where a later benchmark can't be drawn or scored, nor where a file can't be put in its place."""
    outcomes = np.array([0.0, 1.0])
    plotted = [Plotted("a", {"mf": [0.1, 0.2]}, outcomes, outcomes), Plotted("b", {"mf": [0.1, 0.2, 0.3]}, outcomes, outcomes)]
    with pytest.raises((ValueError, IndexError)):
        write_plots(tmp_path / "plots", plotted)
    (tmp_path / "some.csv").write_bytes(_HEADER + b"x,0,1\n")
    command = ["--data", str(tmp_path / "some.csv"), "--json", "--draws", "5", "--plots", str(tmp_path / "plots")]
    assert main([*command, "--strategies", "nope"]) == 2
    assert not (tmp_path / "plots").exists()
    (tmp_path / "plots/some.png").mkdir(parents=True)
    assert main([*command, "--strategies", "random"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "the plots can't be written" in printed.err
    assert [file.name for file in (tmp_path / "plots").iterdir()] == ["some.png"]


@pytest.mark.parametrize("strategy", ["nope", "random,nope"])
def test_the_command_names_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str], strategy: str) -> None:
    """Exit code 2, and nothing on standard output."""
    data = tmp_path / "some.csv"
    data.write_text("prompt,weak,strong\nx,0,1\n")
    assert main(["--data", str(data), "--strategies", strategy, "--json"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "No strategy is named 'nope'" in printed.err
