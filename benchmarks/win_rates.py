"""What the shipped calibration records say of win rates, as the pictures of docs/how-it-decides.md.

    python -m benchmarks.win_rates [--data DIR --scores FILE]

Without arguments they are drawn again from controller/records and benchmarks/win_rates.json. With --data, a folder of RouteLLM's benchmark
files, and --scores, what `pointsman evaluate --data DIR --split validation --benchmarks mmlu,gsm8k --scores FILE` wrote, that file is made
anew first: the share of right answers at each strong share.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.pictures import COLOURS, picture
from pointsman.calibration.files import read_record, record_files
from pointsman.calibration.record import CalibrationRecord
from pointsman.runtime.whole_files import written_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROOT: Final = Path(__file__).parents[1]
RECORDS: Final = ROOT / "controller/records"
QUALITY: Final = Path(__file__).with_suffix(".json")
STRATEGIES: Final = ("mf", "sw_ranking", "bert", "causal_llm", "random")
SHARE: Final = 0.3
THRESHOLDS: Final = (0.1, 0.5)
_COLOURS: Final = dict(zip(STRATEGIES, COLOURS, strict=True))
_BENCHMARKS: Final = ("mmlu", "gsm8k")
_BINS: Final = 100  # of the scale from 0 to 1
_HIGHEST: Final = 0.8  # of a row
_POINTS: Final = 100  # of a curve
_INK, _PALE = "#333333", "#999999"
Curves = Mapping[str, Sequence[float]]
"""Of each strategy the share of right answers at the strong shares 0, 0.01, … 1."""


def shipped() -> dict[str, CalibrationRecord]:
    """The newest record of each strategy that ships."""
    read = [read_record(file) for file in record_files(RECORDS)]
    newest = {each.strategy: each for each in sorted(read, key=lambda each: each.created) if isinstance(each, CalibrationRecord)}
    return {name: newest[name] for name in STRATEGIES}


def digest(drawn_from: object) -> str:
    """What a picture says that it was drawn from."""
    return f"sha256 of its data: {hashlib.sha256(json.dumps(drawn_from, sort_keys=True).encode()).hexdigest()}"


def of_records(records: Mapping[str, CalibrationRecord]) -> str:
    """The digest of the two pictures that records make."""
    return digest({name: record.quantiles for name, record in records.items()})


def strong_share(record: CalibrationRecord, threshold: float) -> float:
    """What part of the sample reaches a threshold, 0 to 1."""
    return 1 - record.rank(threshold)


def table(records: Mapping[str, CalibrationRecord]) -> str:
    """Rows of Markdown: each strategy's range, its strong shares at both thresholds, and the threshold of the one share."""
    rows = []
    for name, record in records.items():
        shares = " | ".join(f"{100 * strong_share(record, threshold):.1f} %" for threshold in THRESHOLDS)
        rows.append(f"| `{name}` | {record.quantiles[0]:.3f}, {record.quantiles[-1]:.3f} | {shares} | {record.threshold(SHARE):.3f} |\n")
    return "".join(rows)


def draw_win_rates(records: Mapping[str, CalibrationRecord], file: Path) -> None:
    """A row for each strategy: how its win rates are spread over the one scale, and what two thresholds and a share make of it."""
    with picture(file, 8.4, 4.6, of_records(records)) as figure:
        axes = figure.add_subplot()
        for row, (name, record) in enumerate(records.items()):
            _row(axes, len(records) - 1 - row, record, _COLOURS[name])
        for place, threshold in enumerate(THRESHOLDS):
            axes.vlines(threshold, 0, len(records) - 0.06, color=_INK, linewidth=1.2, linestyle=(0, (4, 3)))
            axes.text(threshold, len(records) - 0.02, f"threshold {threshold:g}", ha="center", va="bottom", fontsize=9, color=_INK)
            axes.text(
                1.06 + 0.13 * place, len(records) - 0.02, f"strong\nat {threshold:g}", ha="center", va="bottom", fontsize=9, color=_INK
            )
        axes.set(xlim=(0, 1.25), ylim=(-0.06, len(records) + 0.25), xlabel="strong win rate")
        axes.set_yticks([len(records) - 1 - row for row in range(len(records))], list(records))
        axes.set_xticks([tenth / 10 for tenth in range(11)])
        axes.tick_params(axis="y", length=0)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.spines["bottom"].set_bounds(0, 1)


def _row(axes: Axes, base: int, record: CalibrationRecord, colour: str) -> None:
    below = [record.rank(edge / _BINS) for edge in range(_BINS + 1)]
    parts = [high - low for low, high in pairwise(below)]
    held = [number for number, part in enumerate(parts) if part > 0]
    first, after = held[0], held[-1] + 1
    heights = [_HIGHEST * part / max(parts) for part in parts[first:after]]
    edges = [edge / _BINS for edge in range(first, after + 1)]
    axes.stairs([base + height for height in heights], edges, baseline=base, fill=True, color=colour, alpha=0.55)
    axes.hlines(base, 0, 1, color=_PALE, linewidth=0.8)
    at = record.threshold(SHARE)
    axes.plot([at, at], [base, base + 0.9], color=colour, linewidth=2)
    axes.text(at + 0.012, base + 0.86, f"{100 * SHARE:g} % from {at:.3f}", va="top", fontsize=9, color=_INK)
    for place, threshold in enumerate(THRESHOLDS):
        told = f"{100 * strong_share(record, threshold):.0f} %"
        axes.text(1.06 + 0.13 * place, base + 0.3, told, ha="center", fontsize=10, color=_INK)


def draw_shares(records: Mapping[str, CalibrationRecord], file: Path) -> None:
    """The share of calls that a threshold sends to strong."""
    with picture(file, 7, 4.4, of_records(records)) as figure:
        axes = figure.add_subplot()
        for name, record in records.items():
            shares = [number / _POINTS for number in range(1, _POINTS)]
            across = [1.0, record.quantiles[-1], *map(record.threshold, shares), record.quantiles[0], 0.0]
            axes.plot(across, [0, 0, *(100 * share for share in shares), 100, 100], color=_COLOURS[name], linewidth=2, label=name)
            axes.plot([record.threshold(SHARE)], [100 * SHARE], color=_COLOURS[name], marker="o", markersize=6, linestyle="")
        axes.axhline(100 * SHARE, color=_PALE, linewidth=1, linestyle=(0, (1, 2)))
        axes.set(xlim=(0, 1), ylim=(0, 101), xlabel="threshold", ylabel="calls to strong, %")
        _finished(axes)


def draw_quality(quality: Curves, file: Path) -> None:
    """What is answered right at each share of calls to strong."""
    with picture(file, 7, 4.4, digest(quality)) as figure:
        axes = figure.add_subplot()
        across = list(range(_POINTS + 1))
        for name, right in quality.items():
            axes.plot(across, [100 * part for part in right], color=_COLOURS[name], linewidth=1.8, label=name)
        ends = next(iter(quality.values()))
        label = "an order by chance"
        axes.plot([0, _POINTS], [100 * ends[0], 100 * ends[-1]], color=_INK, linewidth=1.4, linestyle=(0, (1, 2)), label=label)
        axes.set(xlim=(0, _POINTS), xlabel="calls to strong, %", ylabel="right answers, %")
        _finished(axes)


def _finished(axes: Axes) -> None:
    axes.grid(color="#dddddd", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)


def measured(data: Path, scores: Path) -> dict[str, list[float]]:
    """The curves, of both benchmarks' rows together. Raises `InvalidData` for a folder or rows that can't be used."""
    from scorers.offline.labelled import load_labelled
    from scorers.offline.metrics import curve

    rows = load_labelled(data, validation_only=True)
    outcomes = {name: rows[name] for name in _BENCHMARKS}
    rates: dict[str, dict[tuple[str, int], float]] = defaultdict(dict)
    for line in scores.read_text().splitlines():
        each = json.loads(line)
        rates[each["strategy"]][each["benchmark"], each["index"]] = each["strong_win_rate"]
    places = [(name, index) for name in _BENCHMARKS for index in range(len(outcomes[name]))]
    weak, strong = ([getattr(outcomes[name][index], tier) for name, index in places] for tier in ("weak", "strong"))
    found: dict[str, list[float]] = {}
    for strategy in (name for name in STRATEGIES if name in rates):
        points = curve([rates[strategy][place] for place in places], weak, strong)
        found[strategy] = [round(points.quality_at(number / _POINTS), 5) for number in range(_POINTS + 1)]
    return found


def main() -> None:
    """Writes the pictures, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--scores", type=Path)
    options = parser.parse_args()
    if options.data and options.scores:
        with written_whole(QUALITY) as opened:
            opened.write(json.dumps(measured(options.data, options.scores)).encode() + b"\n")
    records = shipped()
    print(table(records), end="")
    draw_win_rates(records, ROOT / "docs/how-it-decides-win-rates.svg")
    draw_shares(records, ROOT / "docs/how-it-decides-shares.svg")
    if QUALITY.exists():
        draw_quality(json.loads(QUALITY.read_text()), ROOT / "docs/how-it-decides-quality.svg")


if __name__ == "__main__":
    main()
