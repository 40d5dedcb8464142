"""`pointsman calibrate`: shares and budgets to records, and data that can't be used."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import rankdata

from pointsman.calibration.ensemble import ensemble_record
from pointsman.calibration.files import Record, read_record
from pointsman.calibration.making import Data, Scorer, calibration_record, prompts_sha256, share_of_budget
from pointsman.calibration.record import CalibrationRecord
from pointsman.runtime.errors import InvalidRequest
from pointsman.runtime.settings import Settings, StrategySettings
from scorers.offline.calibrate import main
from scorers.offline.scoring import scored_here

RATES = (np.random.default_rng(5).beta(8, 5, 3000) * 0.02 + 0.2).tolist()  # as close together as sw_ranking's
SAMPLE = Data("x", "0" * 64)


def prompts_file(folder: Path, count: int = 400) -> Path:
    """CSV with other columns beside the prompts."""
    file = folder / "sample.csv"
    file.write_text("id,prompt\n" + "".join(f'{n},"prompt, number {n}"\n' for n in range(count)))
    return file


def test_thresholds_are_quantiles_with_intervals_around_them() -> None:
    """And the stored quantiles serve every other share, to a tenth of a point, however narrow the range."""
    found = calibration_record(Scorer("mf", "c@sha256:1", "e"), RATES, SAMPLE, [0.2, 0.5, 0.8], draws=200)
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
        (each,) = calibration_record(Scorer("mf", "c", ""), sample.tolist(), SAMPLE, [0.3], draws=200).thresholds
        held += each.threshold_low <= 0.7 <= each.threshold_high
    assert 178 <= held <= 199


def test_the_hash_is_of_the_prompts_and_not_of_their_order() -> None:
    """So that the same sample is the same record."""
    assert prompts_sha256(["a", "b"]) == prompts_sha256(["b", "a"]) != prompts_sha256(["a", "b", "b"])
    for prompts in ([], ["a"], ["é", '"', "a, b", ""]):
        assert prompts_sha256(prompts) == hashlib.sha256(json.dumps(sorted(prompts)).encode()).hexdigest(), "as in records of old"


def test_a_budget_is_a_share() -> None:
    """Of what 1,000 requests cost, all weak to all strong."""
    assert share_of_budget(4.0, strong=10, weak=1) == pytest.approx(1 / 3)
    for spend, strong, weak in ((0.5, 10, 1), (11, 10, 1), (1, 1, 1)):
        with pytest.raises(InvalidRequest):
            share_of_budget(spend, strong, weak)


@pytest.mark.parametrize(("rates", "said"), [([0.5], "too few"), ([0.3] * 50, "every prompt the same win rate")])
def test_what_cannot_part_prompts_is_refused(rates: list[float], said: str) -> None:
    """One prompt, or a constant."""
    with pytest.raises(InvalidRequest, match=said):
        calibration_record(Scorer("mf", "c", ""), rates, SAMPLE, [0.5], draws=10)


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
    assert isinstance(written, CalibrationRecord)
    assert [each.strong_share for each in written.thresholds] == [0.25]
    assert len(written.quantiles) == 400
    assert written.threshold(0.25) == pytest.approx(0.75, abs=0.1)


def test_the_command_calibrates_several_strategies_together(tmp_path: Path) -> None:
    """Each by itself, and the mean of their ranks by these records; named in another order it's the same record."""
    arguments = ["--data", str(prompts_file(tmp_path, 40)), "--draws", "20", "--no-cache"]
    written: dict[str, dict[str, Record]] = {}
    for names in ("random+mf", "mf+random"):
        assert main([*arguments, "--strategies", names, "--out", str(tmp_path / names)]) == 0
        written[names] = {record.strategy: record for record in map(read_record, (tmp_path / names).iterdir())}
    found = written["random+mf"]
    assert set(found) == {"mf", "random", "mf+random"} == set(written["mf+random"])
    assert found["mf+random"].checkpoint == f"{found['mf'].name}+{found['random'].name}"
    assert found["mf+random"].name == written["mf+random"]["mf+random"].name


def test_the_mean_of_ranks_has_a_record_of_its_own() -> None:
    """Its thresholds send the shares of a sample that each strategy's own wouldn't."""
    draw = np.random.default_rng(3)
    rates = {"mf": (draw.random(2000) * 0.02 + 0.5).tolist(), "bert": draw.beta(2, 5, 2000).tolist()}
    members = [calibration_record(Scorer(name, f"c@sha256:{name}", ""), each, SAMPLE, [0.5], draws=5) for name, each in rates.items()]
    found = ensemble_record(members, list(rates.values()), SAMPLE, [0.3], draws=5)
    means = np.mean([rankdata(each) / 2000 for each in rates.values()], axis=0)
    assert (found.strategy, found.checkpoint) == ("bert+mf", f"{members[1].name}+{members[0].name}")
    for share in (0.1, 0.3, 0.8):
        assert np.mean(means >= found.threshold(share)) == pytest.approx(share, abs=0.003)
    assert abs(np.mean(means >= 0.9) - 0.1) > 0.05  # a mean of two ranks is no rank


def test_the_command_takes_a_budget(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And shows it as a share."""
    arguments = ["--data", str(prompts_file(tmp_path)), "--strategies", "random", "--spend", "3", "--cost", "10", "1", "--draws", "20"]
    assert main([*arguments, "--out", str(tmp_path / "records")]) == 0
    out = capsys.readouterr().out
    assert "22.222222 %" in out
    assert "router-random-22.222222pct" in out


def test_the_command_says_where_the_record_is_and_what_it_is_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole path, since a relative folder may be another than the service's; and the model string that goes by it."""
    monkeypatch.chdir(tmp_path)
    assert main(["--data", str(prompts_file(tmp_path)), "--strategies", "random", "--draws", "20"]) == 0
    (file,) = (tmp_path / "records").iterdir()
    said = capsys.readouterr().out.splitlines()[-2:]
    assert said == [
        f"written: {file}",
        "A service with this folder as records_dir goes by it within 2 s, for router-random-30pct and any other share.",
    ]


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
