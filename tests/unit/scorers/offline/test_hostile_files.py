"""Both commands over files that nobody should have written: an answer, or a sentence with the row, and nothing half-written."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scorers.offline.calibrate import main as calibrate
from scorers.offline.evaluate import main as evaluate

_COMMANDS = {"evaluate": evaluate, "calibrate": calibrate}
_GOOD: list[dict[str, Any]] = [{"prompt": f"prompt {n}", "weak": n % 2, "strong": 1} for n in range(30)]


def _write(folder: Path, suffix: str, rows: Sequence[dict[str, Any]]) -> Path:
    file = folder / f"some.{suffix}"
    if suffix == "csv":
        lines = ["prompt,weak,strong", *(",".join("" if value is None else f'"{value}"' for value in row.values()) for row in rows)]
        file.write_text("\n".join(lines) + "\n")
    elif suffix == "jsonl":
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        pq.write_table(pa.Table.from_pylist(list(rows)), file)
    return file


def _arguments(command: str, data: Path, out: Path) -> list[str]:
    """With every file that the command can write, all in `out`."""
    out.mkdir(exist_ok=True)
    files = (
        ["--plots", str(out / "plots"), "--scores", str(out / "scores.jsonl")] if command == "evaluate" else ["--out", str(out / "records")]
    )
    return ["--data", str(data), "--strategies", "random", "--json", "--draws", "5", *files]


def _left(out: Path) -> list[Path]:
    return [path for path in out.rglob("*") if path.is_file()]


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("command", _COMMANDS)
@pytest.mark.parametrize("wrong", [{"prompt": None}, {"prompt": " "}, {"strong": float("nan")}, {"weak": None}, {"weak": float("inf")}])
def test_a_wrong_row_is_named_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str, command: str, wrong: dict[str, Any]
) -> None:
    """The 25th of 30, in every format. Calibration doesn't look at outcomes."""
    file = _write(tmp_path, suffix, [*_GOOD[:24], {**_GOOD[24], **wrong}, *_GOOD[25:]])
    matters = command == "evaluate" or "prompt" in wrong
    assert _COMMANDS[command](_arguments(command, file, tmp_path / "out")) == (2 if matters else 0)
    printed = capsys.readouterr()
    assert (printed.out == "", _left(tmp_path / "out") == []) == (matters, matters)
    assert ("row 25: " in " ".join(printed.err.split())) == matters


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("command", _COMMANDS)
def test_a_prompt_that_comes_twice_counts_twice_and_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str, command: str
) -> None:
    """On standard error, with contradictions where there are outcomes; all counts."""
    file = _write(tmp_path, suffix, [*_GOOD, _GOOD[3], {**_GOOD[4], "strong": 0}])
    assert _COMMANDS[command](_arguments(command, file, tmp_path / "out")) == 0
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert found.get("n", found.get("sample_size")) == 32
    assert "2 rows repeat an earlier row's prompt" in printed.err
    assert ("1 of the prompts with other outcomes" in printed.err) == (command == "evaluate")


@pytest.mark.parametrize(
    "rows", [_GOOD[:1], [{**row, "weak": 1} for row in _GOOD], [_GOOD[0]] * 9], ids=["one row", "constant", "one prompt"]
)
def test_evaluate_answers_where_there_is_little_to_tell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rows: Sequence[dict[str, Any]]
) -> None:
    """With plots and scores."""
    assert evaluate(_arguments("evaluate", _write(tmp_path, "csv", rows), tmp_path / "out")) == 0
    assert json.loads(capsys.readouterr().out)["n"] == len(rows)
    written = [json.loads(line) for line in (tmp_path / "out/scores.jsonl").read_text().splitlines()]
    assert [(row["benchmark"], row["index"], row["strategy"]) for row in written] == [("some", n, "random") for n in range(len(rows))]


def test_scores_of_several_benchmarks_are_one_whole_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not the first benchmark's alone, where a later one can't be scored; an earlier file is never added to."""
    scores = tmp_path / "scores.jsonl"
    command = ["--data", str(_write(tmp_path, "csv", _GOOD)), "--json", "--draws", "0", "--scores", str(scores)]
    assert evaluate([*command, "--strategies", "random,nope"]) == 2
    assert not scores.exists()
    assert evaluate([*command, "--strategies", "random"]) == 0
    for again in (scores, tmp_path / "nowhere/scores.jsonl"):
        with pytest.raises(SystemExit):
            evaluate([*command[:-1], str(again), "--strategies", "random"])
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith((".", "scores"))] == ["scores.jsonl"]
    capsys.readouterr()


@pytest.mark.parametrize("command", _COMMANDS)
@pytest.mark.parametrize("wrong", [["--draws", "-1"], ["--concurrency", "0"], ["--strategies", "mf,,bert"], ["--cost", "nan", "1"]])
def test_wrong_arguments_are_refused_before_anything_is_scored(tmp_path: Path, command: str, wrong: list[str]) -> None:
    """By argparse, with exit code 2."""
    with pytest.raises(SystemExit) as caught:
        _COMMANDS[command]([*_arguments(command, _write(tmp_path, "csv", _GOOD), tmp_path / "out"), *wrong])
    assert caught.value.code == 2


def _process(command: str, *arguments: str, **how: Any) -> subprocess.Popen[str]:
    program = [sys.executable, "-m", f"scorers.offline.{command}", *arguments]
    return subprocess.Popen(program, stdout=how.pop("stdout", subprocess.PIPE), stderr=subprocess.PIPE, text=True, **how)


@pytest.mark.parametrize("command", _COMMANDS)
def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, command: str) -> None:
    """Files may have 2 KB: the picture, the scores and the record are larger."""
    data = _write(tmp_path, "csv", [{**_GOOD[0], "prompt": f"prompt {n}"} for n in range(3000)])
    arguments = _arguments(command, data, tmp_path / "out")
    for left_out in ([], ["--plots"]) if command == "evaluate" else ([],):
        kept = [each for n, each in enumerate(arguments) if each not in left_out and arguments[n - 1] not in left_out]
        limited = _process(command, *kept, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048)))
        out, said = limited.communicate()
        assert (limited.returncode, out) == (2, "")
        assert "can't be written: File too large" in " ".join(said.split())
        assert _left(tmp_path / "out") == []


@pytest.mark.parametrize("command", _COMMANDS)
def test_standard_output_that_cannot_be_written_is_told(tmp_path: Path, command: str) -> None:
    """A full device, without a traceback; the files are there, whole."""
    with Path("/dev/full").open("w") as full:
        process = _process(command, *_arguments(command, _write(tmp_path, "csv", _GOOD), tmp_path / "out"), stdout=full)
        _, said = process.communicate()
    assert process.returncode == 1
    assert "Standard output can't be written: No space left on device." in said
    assert "Traceback" not in said
    assert "Exception ignored" not in said


def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    """Exit code 130 and one word, in the middle of resamples that would take hours."""
    arguments = _arguments("evaluate", _write(tmp_path, "csv", _GOOD), tmp_path / "out")
    process = _process("evaluate", *arguments, "--draws", "100000000")
    assert process.stderr
    while "scoring some" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, said = process.communicate()
    assert (process.returncode, out) == (130, "")
    assert "Interrupted." in said
    assert "Traceback" not in said
    assert _left(tmp_path / "out") == []
