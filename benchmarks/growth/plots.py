"""Curves on logarithmic axes, as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.pictures import COLOURS, picture

_COLOURS: Final = dict(zip(("mf", "sw_ranking", "bert", "causal_llm", "random"), COLOURS, strict=True))
Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Plot:
    """One picture: a curve for each strategy."""

    file: str
    across: str
    up: str
    curves: Mapping[str, Points]
    log_across: bool = True


def write(plot: Plot, folder: Path) -> None:
    """In place of an earlier one."""
    with picture(folder / plot.file) as figure:
        axes = figure.add_subplot()
        for name, points in plot.curves.items():
            axes.plot(*zip(*points, strict=True), marker="o", markersize=4, color=_COLOURS.get(name), label=name)
        axes.set(xlabel=plot.across, ylabel=plot.up, yscale="log", xscale="log" if plot.log_across else "linear")
        axes.grid(color="#dddddd", linewidth=0.8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
