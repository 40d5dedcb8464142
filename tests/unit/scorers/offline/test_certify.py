"""`pointsman certify`: labelled files to certificates, and files that can't be certified on."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest

from pointsman.calibration.certificate import Certificate
from pointsman.calibration.files import read_record
from scorers.offline.certify import main
from scorers.offline.outcomes import load_sample

COMMON = ["--strategies", "random", "--judge", "made-up"]


def labels(folder: Path, rows: int = 1500) -> Path:
    """Weak is right 97 times of a hundred, strong always; outcomes are 1 to 10, and there are two tenants."""
    draw = random.Random(3)
    file = folder / "labels.csv"
    lines = [f"prompt {n},{10 if draw.random() < 0.97 else 1},10,{'a' if n % 2 else 'b'}" for n in range(rows)]
    file.write_text("prompt,weak,strong,tenant\n" + "\n".join(lines) + "\n")
    return file


def test_the_command_writes_certificates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One for each loss, of the pair's models, valid for as long as was said; JSON is the certificate without its quantiles."""
    arguments = [
        "--data",
        str(labels(tmp_path)),
        *COMMON,
        "--scale",
        "1",
        "10",
        "--max-quality-loss",
        "0.05",
        "0.1",
        "--days",
        "30",
        "--json",
    ]
    assert main([*arguments, "--out", str(tmp_path / "records")]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["max_quality_loss"] for each in told] == [0.05, 0.1]
    written = read_record(Path(told[0]["file"]))
    assert isinstance(written, Certificate)
    assert (written.weak_model, written.judge, written.pair, written.sample_size) == (
        "smollm2-135m-instruct-weak",
        "made-up",
        "default",
        1350,
    )
    assert round((written.expires - written.created).total_seconds() / 86_400) == 30
    assert written.weak_share > 0.9
    assert "prompt 7" not in Path(told[0]["file"]).read_text()


def test_slices_are_a_column(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Shown below the whole."""
    arguments = ["--data", str(labels(tmp_path)), *COMMON, "--scale", "1", "10", "--max-quality-loss", "0.1", "--slices", "tenant"]
    assert main([*arguments, "--models", "big", "small", "--out", str(tmp_path / "records")]) == 0
    out = capsys.readouterr().out
    assert "a alone" in out
    assert "b alone" in out


def test_what_cannot_be_certified_is_said_and_the_rest_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1."""
    arguments = ["--data", str(labels(tmp_path, 200)), *COMMON, "--scale", "1", "10", "--max-quality-loss", "0.001", "0.1"]
    assert main([*arguments, "--out", str(tmp_path / "records")]) == 1
    assert len(list((tmp_path / "records").iterdir())) == 1
    assert "no weak share can be certified to lose at most 0.001" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("content", "more", "said"),
    [
        ("prompt,weak,strong\na,1,1\nb,0,1\na,1,1\n", [], "row 3: the same prompt as in row 1"),
        ("prompt,weak,strong\na,1,1\nb,7,10\n", [], "row 2: the outcome 10 isn't 0 to 1; --scale"),
        ("prompt,weak,strong,t\na,1,1,x\nb,0,1,\n", ["--slices", "t"], "row 2: t is empty"),
        ("prompt,weak,strong\na,1,1\n", ["--slices", "t"], "no column t"),
        ("prompt,weak,strong\na,1,1\nb,nan,1\n", [], "row 2: weak is 'nan'"),
        ("prompt,weak,strong\na,1,1\nb,0,1\n", ["--pair", "none"], "no pair is named 'none'"),
    ],
)
def test_data_that_cannot_be_used_are_refused_by_their_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, more: list[str], said: str
) -> None:
    """Exit code 2, nothing on standard output, nothing written."""
    (tmp_path / "labels.csv").write_text(content)
    arguments = ["--data", str(tmp_path / "labels.csv"), *COMMON, "--max-quality-loss", "0.1", "--out", str(tmp_path / "records"), *more]
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert not printed.out
    assert not (tmp_path / "records").exists()
    assert re.search(said, " ".join(printed.err.split()))


def test_repeated_prompts_are_kept_where_traffic_repeats_itself(tmp_path: Path) -> None:
    """If it is said."""
    (tmp_path / "labels.csv").write_text("prompt,weak,strong\na,1,1\na,1,1\n")
    assert len(load_sample(tmp_path / "labels.csv", None, (0, 1), keep_duplicates=True).prompts) == 2
