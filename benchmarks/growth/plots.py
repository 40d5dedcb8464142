"""Curves on logarithmic axes, as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

from pointsman.runtime.whole_files import written_whole

_COLOURS: Final = {"mf": "#0072b2", "sw_ranking": "#d55e00", "bert": "#009e73", "causal_llm": "#cc79a7", "random": "#56b4e9"}
"""Okabe and Ito's, which colour-blind people tell apart."""
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
    """In place of an earlier one. A Figure of its own and not pyplot's, which would be global state."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # Without a salt and a date the same data gives the same SVG.
    with rc_context({"svg.hashsalt": "pointsman"}):
        figure = Figure(figsize=(7, 4.5), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        for name, points in plot.curves.items():
            axes.plot(*zip(*points, strict=True), marker="o", markersize=4, color=_COLOURS.get(name), label=name)
        axes.set(xlabel=plot.across, ylabel=plot.up, yscale="log", xscale="log" if plot.log_across else "linear")
        axes.grid(color="#dddddd", linewidth=0.8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
        content = BytesIO()
        figure.savefig(content, format="svg", metadata={"Date": None})
    with written_whole(folder / plot.file) as opened:
        opened.write(content.getvalue())
