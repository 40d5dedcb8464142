"""The pictures of docs/how-it-decides.md are of the records that ship."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.win_rates import (
    QUALITY,
    ROOT,
    Curves,
    digest,
    draw_quality,
    draw_shares,
    draw_win_rates,
    measured,
    of_records,
    shipped,
    strong_share,
    table,
)
from tests.unit.scorers.routellm_files import write_files

_MOST_BYTES = 60_000


@pytest.mark.parametrize("name", ["win-rates", "shares", "quality"])
def test_a_committed_picture_is_of_the_data_that_is_there(name: str) -> None:
    """`python -m benchmarks.win_rates` draws it anew."""
    picture = (ROOT / f"docs/how-it-decides-{name}.svg").read_text()
    assert (digest(json.loads(QUALITY.read_text())) if name == "quality" else of_records(shipped())) in picture
    assert len(picture) < _MOST_BYTES


def test_the_guides_table_is_of_the_records_that_ship() -> None:
    """And names every strategy."""
    assert table(shipped()) in (ROOT / "docs/how-it-decides.md").read_text()


def test_the_guides_right_answers_are_those_of_the_curves() -> None:
    """At four shares, and by chance on the straight line."""
    guide, quality = (ROOT / "docs/how-it-decides.md").read_text(), json.loads(QUALITY.read_text())
    low, high = quality["mf"][0], quality["mf"][-1]
    chance = [low + (high - low) * share / 100 for share in range(101)]
    for right in (*quality.values(), chance):
        assert " | ".join(f"{100 * right[share]:.1f} %" for share in (10, 30, 50, 80)) in guide


def test_the_same_data_give_the_same_picture(tmp_path: Path) -> None:
    """Byte for byte."""
    records, curves = shipped(), {"mf": [share / 100 for share in range(101)]}
    drawn = []
    for name in ("once", "again"):
        for draw, data in ((draw_win_rates, records), (draw_shares, records)):
            draw(data, tmp_path / f"{name}-{draw.__name__}.svg")
        draw_quality(curves, tmp_path / f"{name}-draw_quality.svg")
        drawn.append([file.read_bytes() for file in sorted(tmp_path.glob(f"{name}-*"))])
    assert len(drawn[0]) == 3
    assert drawn[0] == drawn[1]


def test_a_share_and_its_threshold_are_each_others_inverse() -> None:
    """Of every record that ships."""
    for record in shipped().values():
        assert strong_share(record, record.threshold(0.3)) == pytest.approx(0.3, abs=0.002)


def test_quality_is_counted_over_both_benchmarks_by_each_strategys_order(tmp_path: Path) -> None:
    """From what `pointsman evaluate --scores` writes: the order that knows who gains is never below the one that knows nothing."""
    write_files(tmp_path)
    found = _measured(tmp_path)
    assert found["mf"][0] == found["bert"][0]
    assert found["mf"][-1] == found["bert"][-1]
    assert len(found["mf"]) == 101
    assert all(knows >= not_known for knows, not_known in zip(found["mf"], found["bert"], strict=True))
    assert max(found["mf"]) > max(found["bert"])


def _measured(folder: Path) -> Curves:
    """`mf` puts first what is hard, which the strong model alone gets right; `bert` gives all prompts one score."""
    from scorers.offline.labelled import load_labelled

    scores = folder / "scores.jsonl"
    rows = load_labelled(folder, validation_only=True)
    ranks = {"hard": 0.9, "easy": 0.5, "odd": 0.1}
    with scores.open("w") as lines:
        for benchmark in ("mmlu", "gsm8k"):
            for index, row in enumerate(rows[benchmark]):
                for strategy, rate in (("mf", ranks[row.prompt.split()[0]]), ("bert", 0.5)):
                    line = {"benchmark": benchmark, "index": index, "strategy": strategy, "strong_win_rate": rate}
                    lines.write(json.dumps(line) + "\n")
    return measured(folder, scores)
