"""`pointsman calibrate`: shares and budgets to records, and data that can't be used."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from pointsman.runtime.records import read_record
from pointsman.runtime.settings import Settings, StrategySettings
from scorers.errors import InvalidData
from scorers.offline.calibrate import calibrated, main, prompts_sha256, share_of_budget
from scorers.offline.scored import Scored
from scorers.offline.scoring import scored_here

RATES = (np.random.default_rng(5).beta(8, 5, 3000) * 0.02 + 0.2).tolist()  # as close together as sw_ranking's
PROMPTS = [f"prompt {n}" for n in range(len(RATES))]


def prompts_file(folder: Path, count: int = 400) -> Path:
    """CSV with other columns beside the prompts."""
    file = folder / "sample.csv"
    file.write_text("id,prompt\n" + "".join(f'{n},"prompt, number {n}"\n' for n in range(count)))
    return file


def test_thresholds_are_quantiles_with_intervals_around_them() -> None:
    """And the stored quantiles serve every other share, to a tenth of a point, however narrow the range."""
    found = calibrated(Scored("mf", "c@sha256:1", "e", RATES), PROMPTS, "x", [0.2, 0.5, 0.8], draws=200, seed=0)
    for each in found.thresholds:
        assert each.threshold == pytest.approx(np.quantile(RATES, 1 - each.strong_share), abs=1e-8)
        assert each.threshold_low < each.threshold < each.threshold_high
        assert found.threshold(each.strong_share) == pytest.approx(each.threshold, abs=1e-5)
    for share in (0.01, 0.33, 0.99):
        assert np.mean(np.array(RATES) >= found.threshold(share)) == pytest.approx(share, abs=0.001)
    assert (found.sample_size, found.checkpoint, found.embedder) == (3000, "c@sha256:1", "e")


def test_intervals_hold_the_populations_threshold_about_as_often_as_they_say() -> None:
    """95 % of 200 samples of 300, within binomial error."""
    draw = np.random.default_rng(1)
    held = 0
    for _ in range(200):
        sample = draw.random(300)
        (each,) = calibrated(Scored("mf", "c", "", sample.tolist()), PROMPTS[:300], "x", [0.3], draws=200, seed=0).thresholds
        held += each.threshold_low <= 0.7 <= each.threshold_high
    assert 178 <= held <= 199


def test_the_hash_is_of_the_prompts_and_not_of_their_order() -> None:
    """So that the same sample is the same record."""
    assert prompts_sha256(["a", "b"]) == prompts_sha256(["b", "a"]) != prompts_sha256(["a", "b", "b"])


def test_a_budget_is_a_share() -> None:
    """Of what 1,000 requests cost, all weak to all strong."""
    assert share_of_budget(4.0, strong=10, weak=1) == pytest.approx(1 / 3)
    for spend, strong, weak in ((0.5, 10, 1), (11, 10, 1), (1, 1, 1)):
        with pytest.raises(InvalidData):
            share_of_budget(spend, strong, weak)


@pytest.mark.parametrize(("rates", "said"), [([0.5], "too few"), ([0.3] * 50, "every prompt the same win rate")])
def test_what_cannot_part_prompts_is_refused(rates: list[float], said: str) -> None:
    """One prompt, or a constant."""
    with pytest.raises(InvalidData, match=said):
        calibrated(Scored("mf", "c", "", rates), PROMPTS[: len(rates)], "x", [0.5], draws=10, seed=0)


def test_the_command_writes_a_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON on standard output is the record without its quantiles; the file has them."""
    out = tmp_path / "records"
    arguments = ["--data", str(prompts_file(tmp_path)), "--strategies", "random", "--strong-share", "0.25", "--draws", "20"]
    assert main([*arguments, "--out", str(out), "--json"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    told = json.loads(line)
    (file,) = out.iterdir()
    assert (told["file"], told["sample_size"], told["data"]) == (str(file), 400, "sample.csv")
    assert "number" not in file.read_text()  # a word of every prompt
    written = read_record(file)
    assert [each.strong_share for each in written.thresholds] == [0.25]
    assert len(written.quantiles) == 400
    assert written.threshold(0.25) == pytest.approx(0.75, abs=0.1)


def test_the_command_takes_a_budget(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And shows it as a share."""
    arguments = ["--data", str(prompts_file(tmp_path)), "--strategies", "random", "--spend", "3", "--cost", "10", "1", "--draws", "20"]
    assert main([*arguments, "--out", str(tmp_path / "records")]) == 0
    assert "22.222222 %" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.csv", "", "no column prompt"),
        ("header.csv", "prompt\n", "has no rows"),
        ("one.csv", "prompt\nhello\n", "1 prompts are too few"),
        ("gap.csv", "prompt,x\nhello,1\n ,2\n", r"gap\.csv: row 2: prompt is empty"),
        ("wrong.jsonl", '{"prompt": "a"}\n{"prompt": 3}\n', r"wrong\.jsonl: row 2: prompt is empty or not text"),
        ("torn.jsonl", '{"prompt": "a"}\n{"pro', r"torn\.jsonl: line 2: not JSON"),
        ("prompts.txt", "hello", "a .csv, .jsonl or .parquet file"),
    ],
)
def test_data_that_cannot_be_used_is_refused_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: str, said: str
) -> None:
    """The row is named, exit code 2, nothing on standard output and nothing written."""
    (tmp_path / name).write_text(content)
    assert main(["--data", str(tmp_path / name), "--strategies", "random", "--out", str(tmp_path / "records")]) == 2
    printed = capsys.readouterr()
    assert not printed.out
    assert not (tmp_path / "records").exists()
    assert re.search(said, " ".join(printed.err.split()))


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file stands there."""
    (tmp_path / "records").write_text("")
    arguments = ["--data", str(prompts_file(tmp_path, 50)), "--strategies", "random", "--draws", "5"]
    assert main([*arguments, "--out", str(tmp_path / "records")]) == 2
    assert "can't be written" in capsys.readouterr().err


def test_scores_come_with_their_checkpoint() -> None:
    """As the router says it."""
    (scored,) = scored_here(["random"], ["a", "b"], Settings(strategies={"random": StrategySettings()}), lambda _: None)
    assert (scored.strategy, scored.checkpoint, scored.embedder, len(scored.win_rates)) == ("random", "none", "", 2)
