"""Labelled prompts: the formats, and data that cannot be used."""

from __future__ import annotations

import gzip
import itertools
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scorers.errors import InvalidData
from scorers.offline.benchmarks import load_outcomes
from scorers.offline.labelled import Labelled, load_labelled, repeats
from scorers.offline.rows import rows_of
from tests.unit.scorers.routellm_files import write_files, write_mt_bench

_HEADER = b"prompt,weak,strong\n"


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
        ("a.csv", b"prompt,weak,strong\nx,1\n", "row 1: strong is missing"),
        ("a.csv", b"prompt,weak,strong\n ,1,1\n", "row 1: prompt is empty"),
        ("a.csv", b"prompt,weak,strong\n\xff,1,1\n", "row 1: prompt isn't UTF-8"),
        ("a.csv", _HEADER + b'x,0,1\n"y,0,1\nz,1,1\n', "row 2: a quote is never closed"),
        ("a.csv", _HEADER + b'x,0,1\ny,0,"1\n', "row 2: a quote is never closed"),
        ("a.csv", b'prompt,"weak,strong\nx,0,1\n', "header: a quote is never closed"),
        ("a.csv", _HEADER + b'"x" y,0,1\n', "row 1: ',' expected after"),
        ("a.csv", _HEADER + b"so, 1,0,1\n", "row 1: more fields than columns"),
        ("a.csv", _HEADER + b"x,0,1\ny\0z,0,1\n", "row 2: prompt has a NUL byte"),
        ("a.csv", _HEADER + b"x,0\0,1\n", "row 1: weak is '0\\x00'"),
        ("a.csv", b"prompt\0,weak,strong\nx,0,1\n", "no column prompt; there are: 'prompt\\x00', weak, strong"),
        ("a.csv", b"prompt,weak,weak,strong\nx,0,1,1\n", "more than one column weak"),
        ("a.jsonl", b"", "has no rows"),
        ("a.jsonl", b"[1]\n", "line 1: not an object"),
        ("a.jsonl", b'{"prompt": "x", "weak": NaN, "strong": 1}\n', "row 1: weak is 'nan'"),
        ("a.jsonl", b'{"prompt": "x\\u0000", "weak": 0, "strong": 1}\n', "row 1: prompt has a NUL byte"),
        ("a.jsonl", b'{"prompt": "x", "weak": 0, "strong": 1}\n{"pro', "line 2: not JSON"),
        ("a.jsonl", b'{"prompt": 5, "weak": 0, "strong": 1}\n', "row 1: prompt is empty or not text"),
        ("a.parquet", b"PAR1", "not a Parquet file"),
        ("a.csv", _HEADER + b"x,,1\n", "row 1: weak is missing"),
        ("a.csv", _HEADER + b"x,1_0,1\n", "row 1: weak is '1_0'"),
        ("a.csv", _HEADER + b"x,1,-inf\n", "row 1: strong is '-inf'"),
        ("a.csv", _HEADER + b"x,1e200,0\n", "row 1: weak is '1e200'"),
        ("a.csv", _HEADER + b"ok,0,1\r\n" * 70_000 + "é,0,1\r\n".encode("latin-1"), "row 70001: prompt isn't UTF-8"),
        ("a.csv", "prompt,weak,strong\nx,0,1\n".encode("utf-16"), "header: not UTF-8"),
        ("a.csv", b"prompt;weak;strong\nx;0;1\n", "there are: prompt;weak;strong"),
        ("a.csv", b"prompt, weak,strong\nx,0,1\n", "no column weak; there are: prompt, ' weak', strong"),
        ("a.csv", gzip.compress(_HEADER), "is compressed; unpack it first"),
        ("a.csv.gz", gzip.compress(_HEADER), "is compressed; unpack it first"),
        ("a.jsonl", b'{"prompt": "\xe9", "weak": 0, "strong": 1}\n', "row 1: prompt isn't UTF-8"),
        ("a.jsonl", b'{"prompt": "\\ud800", "weak": 0, "strong": 1}\n', "row 1: prompt isn't UTF-8"),
        ("a.jsonl", '{"prompt": "x", "weak": 0, "strong": 1}\n'.encode("utf-16"), "line 1: not UTF-8"),
        ("a.jsonl", b'{"prompt": "x", "weak": 0, "weak": 1, "strong": 1}\n', "line 1: not JSON: a key comes twice"),
        ("a.jsonl", b'{"prompt": "x", "weak": null, "strong": 1}\n', "row 1: weak is missing"),
        ("a.jsonl", b'{"prompt": "x", "strong": 1}\n', "row 1: weak is missing"),
        ("a.jsonl", b'{"prompt": "x", "weak": [0], "strong": 1}\n', "row 1: weak is '[0]'"),
        ("a.jsonl", b"[" * 100_000 + b"\n", "line 1: not JSON"),
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


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"prompt": ["x"], "weak": [0]}, "no column strong"),
        ({"prompt": [], "weak": [], "strong": []}, "has no rows"),
        ({"prompt": ["x", "y"], "weak": [0, 1], "strong": [1.0, float("nan")]}, "row 2: strong is 'nan'"),
        ({"prompt": ["x", None], "weak": [0, 1], "strong": [1, 1]}, "row 2: prompt is empty"),
        ({"prompt": ["x", "y"], "weak": [0, None], "strong": [1, 1]}, "row 2: weak is missing"),
        ({"prompt": [b"x"], "weak": [0], "strong": [1]}, "row 1: prompt is empty or not text"),
        ({"prompt": [["x"]], "weak": [0], "strong": [1]}, "row 1: prompt is empty or not text"),
    ],
)
def test_bad_parquet_is_named_by_row(tmp_path: Path, columns: dict[str, list[Any]], said: str) -> None:
    """As the other formats."""
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    with pytest.raises(InvalidData, match=said):
        load_labelled(tmp_path / "a.parquet")


def test_torn_and_falsely_encoded_parquet_is_refused(tmp_path: Path) -> None:
    """Cut short, bytes changed in the middle, a string that isn't UTF-8, one column twice."""
    file = tmp_path / "a.parquet"
    many = {"prompt": [f"prompt {n}" for n in range(5000)], "weak": [0] * 5000, "strong": [1] * 5000}
    pq.write_table(pa.table(many), file)
    whole = file.read_bytes()
    for torn in (whole[:-100], whole[:9000] + bytes(500) + whole[9500:]):
        file.write_bytes(torn)
        with pytest.raises(InvalidData, match=r"a\.parquet"):
            load_labelled(file)
    falsely = pa.array([b"x", b"caf\xe9"]).view(pa.string())
    pq.write_table(pa.table({"prompt": falsely, "weak": [0, 1], "strong": [1, 1]}), file)
    with pytest.raises(InvalidData, match="row 2: not UTF-8"):
        load_labelled(file)
    pq.write_table(pa.Table.from_arrays([pa.array(["x"])] * 4, names=["prompt", "prompt", "weak", "strong"]), file)
    with pytest.raises(InvalidData, match="more than one column prompt"):
        load_labelled(file)


@pytest.mark.parametrize("name", ["missing.csv", "missing.parquet", "missing.csv.gz", "folder/", "a.csv/b.csv", "x" * 300 + ".csv"])
def test_what_is_no_file_is_refused(tmp_path: Path, name: str) -> None:
    """Missing, a folder of something else, a path through a file, a name that is too long."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "a.csv").write_bytes(_HEADER)
    with pytest.raises(InvalidData, match=r"can't be read|neither RouteLLM"):
        load_labelled(tmp_path / name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    """As one that isn't there, with the system's reason."""
    (tmp_path / "a.csv").write_bytes(_HEADER)
    (tmp_path / "a.csv").chmod(0)
    with pytest.raises(InvalidData, match="can't be read: Permission denied"):
        load_labelled(tmp_path / "a.csv")


def test_long_prompts_line_endings_and_columns_that_are_not_needed(tmp_path: Path) -> None:
    """Ten megabytes in a field; CRLF and CR; another column's encoding doesn't matter."""
    (tmp_path / "a.csv").write_bytes(_HEADER + b'"' + b"word " * 2_000_000 + b'",0,1\n')
    assert len(load_labelled(tmp_path / "a.csv")["a"][0].prompt) == 10_000_000
    for end in (b"\r\n", b"\r"):
        (tmp_path / "a.csv").write_bytes(end.join([b"prompt,weak,strong,note", b"x,0,1,caf\xe9", b"y,1,1,", b""]))
        assert load_labelled(tmp_path / "a.csv")["a"] == [Labelled("x", 0, 1), Labelled("y", 1, 1)]


def test_rows_come_one_after_the_other(tmp_path: Path) -> None:
    """So that a long file isn't held as text: the first rows are there before a later one is found wrong."""
    (tmp_path / "a.csv").write_bytes(_HEADER + b"x,0,1\n" * 3 + b'"')
    rows = rows_of(tmp_path / "a.csv", ["prompt"])
    assert [row["prompt"] for _, row in itertools.islice(rows, 3)] == ["x"] * 3
    with pytest.raises(InvalidData, match="row 4: a quote is never closed"):
        next(rows)


def test_repeated_prompts_are_told_and_counted(tmp_path: Path) -> None:
    """And those that come with other outcomes."""
    assert repeats(["a", "b"]) == ""
    assert repeats(["a", "b", "a"]) == "1 row repeats an earlier row's prompt; every row counts."
    assert "2 rows repeat an earlier row's prompt, 1 of the prompts with other outcomes" in repeats(
        "abaa", [(0, 1), (0, 0), (1, 1), (0, 1)]
    )


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


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("mmlu/responses/mmlu_domain3.csv", b"True,False", b"True,", "row .: an outcome is True or False, not ''"),
        ("mmlu/responses/mmlu_domain3.csv", b"hard", b"h\xe4rd", "row 1: prompt isn't UTF-8"),
        ("gsm8k/gsm8k_responses.csv", b"hard", b'"hard', "row 1: "),
        ("gsm8k/contaminated_prompts.jsonl", b"eval_prompt", b"prompt", "needs eval_prompt"),
        ("mt_bench/judgements.jsonl", b'"score": 8.5', b'"score": NaN', "row 1: a question's number and a score"),
        ("mt_bench/judgements.jsonl", b'"score": 8.5', b'"score": "8"', "row 1: a question's number and a score"),
        ("mt_bench/question.jsonl", b'"turns": [', b'"turns": 5, "x": [', "row 1: turns must be 2 texts"),
    ],
)
def test_miswritten_benchmark_files_are_named_by_row(tmp_path: Path, file: str, old: bytes, new: bytes, said: str) -> None:
    """RouteLLM's files, changed by hand."""
    write_files(tmp_path)
    write_mt_bench(tmp_path)
    content = (tmp_path / file).read_bytes()
    assert old in content
    (tmp_path / file).write_bytes(content.replace(old, new, 1))
    with pytest.raises(InvalidData, match=said) as caught:
        load_labelled(tmp_path)
    assert str(tmp_path / file) in caught.value.message
