"""Labelled prompts: the formats, and data that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scorers.errors import InvalidData
from scorers.offline.benchmarks import load_outcomes
from scorers.offline.labelled import Labelled, load_labelled
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
        ("a.csv", b"prompt,weak,strong\nx,1\n", "row 1: strong is 'none'"),
        ("a.csv", b"prompt,weak,strong\n ,1,1\n", "row 1: prompt is empty"),
        ("a.csv", b"prompt,weak,strong\n\xff,1,1\n", "not UTF-8 at byte 19"),
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
