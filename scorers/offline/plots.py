"""Curves of quality against strong share, one picture for each benchmark, as PNG and SVG."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pointsman.runtime.errors import InvalidRequest
from scorers.offline.baselines import oracle_curve
from scorers.offline.metrics import Arithmetic, ExactOrder, Floats, curve, figures
from scorers.offline.scoring import Scores

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FORMATS: Final = ("png", "svg")
_COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
"""Okabe and Ito's, which colour-blind people tell apart."""
_STYLES: Final = ("-", "--", "-.", ":")
"""Another one after every round of the colours."""
_LARGE, _MEDIUM, _SMALL = 22, 17, 14
_WHITE: Final = "#ffffff"
_INK: Final = "#333333"


@dataclass(frozen=True, slots=True)
class Plotted:
    """What one picture shows."""

    benchmark: str
    scores: Scores
    weak: Floats
    strong: Floats


def write_plots(folder: Path, plotted: Sequence[Plotted], arithmetic: Arithmetic = ExactOrder) -> None:
    """`<benchmark>.png` and `.svg` for each, in place of earlier ones. Raises `InvalidRequest` where they can't be written.

    All are drawn before the first is written, and each appears under its name when it is whole.
    """
    files = {f"{each.benchmark}.{name}": content for each in plotted for name, content in _drawn(each, arithmetic).items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            _write(folder / name, content)
    except OSError as error:
        raise InvalidRequest(f"{folder}: the plots can't be written: {error.strerror}.") from None


def _write(file: Path, content: bytes) -> None:
    part = file.with_name(f".{file.name}.part")
    try:
        part.write_bytes(content)
        os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)


def _drawn(plotted: Plotted, arithmetic: Arithmetic) -> dict[str, bytes]:
    """By format. A Figure of its own and not pyplot's, which would be global state and might want a display."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    drawn: dict[str, bytes] = {}
    # Without a salt and a date the same data gives the same SVG.
    with rc_context({"svg.hashsalt": "pointsman"}):
        figure = Figure(figsize=(12.8, 7.2), layout=ConstrainedLayoutEngine(w_pad=0.15, h_pad=0.15))
        FigureCanvasAgg(figure)
        _draw(figure, plotted, arithmetic)
        for name in _FORMATS:
            content = BytesIO()
            figure.savefig(content, format=name, dpi=150, metadata={"Date": None} if name == "svg" else None)
            drawn[name] = content.getvalue()
    return drawn


def _draw(figure: Figure, plotted: Plotted, arithmetic: Arithmetic) -> None:
    axes = figure.add_subplot()
    for number, (strategy, scores) in enumerate(plotted.scores.items()):
        colour, style = _COLOURS[number % len(_COLOURS)], _STYLES[number // len(_COLOURS) % len(_STYLES)]
        _strategy(axes, strategy, plotted, scores, arithmetic, color=colour, linestyle=style)
    _baselines(axes, plotted)
    _single_models(axes, plotted)
    _labels(axes, plotted)
    figure.legend(loc="outside right center", fontsize=_SMALL, frameon=False, labelspacing=0.9)


def _strategy(axes: Axes, strategy: str, plotted: Plotted, scores: Sequence[float], arithmetic: Arithmetic, **look: Any) -> None:
    found = figures(scores, plotted.weak, plotted.strong, arithmetic)
    points = curve(scores, plotted.weak, plotted.strong, arithmetic)
    label = f"{strategy}\nAPGR {found.apgr:.2f}, CPT50 {100 * found.cpt50:.0f} %" if np.isfinite(found.apgr) else strategy
    axes.plot(100 * points.shares, points.quality, linewidth=2.8, label=label, **look)
    if np.isfinite(found.cpt50):
        half = (plotted.weak.mean() + plotted.strong.mean()) / 2
        axes.plot([100 * found.cpt50], [half], marker="o", markersize=10, color=look["color"], markeredgecolor=_WHITE, zorder=5)


def _baselines(axes: Axes, plotted: Plotted) -> None:
    weak, strong = float(plotted.weak.mean()), float(plotted.strong.mean())
    oracle = oracle_curve(plotted.weak, plotted.strong)
    axes.plot(100 * oracle.shares, oracle.quality, color=_INK, linewidth=1.8, linestyle=(0, (6, 3)), label="oracle", zorder=1.8)
    axes.plot([0, 100], [weak, strong], color=_INK, linewidth=1.8, linestyle=(0, (1, 2)), label="random order", zorder=1.8)
    if weak != strong:
        label = "half of the gain: ● CPT50"
        axes.axhline((weak + strong) / 2, color="#999999", linewidth=1.2, label=label, zorder=1)


def _single_models(axes: Axes, plotted: Plotted) -> None:
    for share, name, outcomes, marker in ((0, "always weak", plotted.weak, "s"), (100, "always strong", plotted.strong, "D")):
        label = f"{name} ({_quality(plotted, float(outcomes.mean()))})"
        axes.plot([share], [outcomes.mean()], marker=marker, markersize=11, color=_INK, linestyle="", label=label, zorder=6, clip_on=False)


def _labels(axes: Axes, plotted: Plotted) -> None:
    # A file's name may hold a dollar sign, which would begin a formula.
    axes.set_title(f"{plotted.benchmark}, n = {len(plotted.weak):,}", fontsize=_LARGE, pad=14, parse_math=False)
    axes.set_xlabel("Calls sent to the strong model", fontsize=_MEDIUM)
    axes.set_ylabel("Quality (right answers)" if _right_or_wrong(plotted) else "Quality (mean outcome)", fontsize=_MEDIUM)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g} %")
    if _right_or_wrong(plotted):
        axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.4g} %")
    axes.tick_params(labelsize=_SMALL)
    axes.set_xlim(0, 100)
    axes.grid(color="#dddddd", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)


def _quality(plotted: Plotted, value: float) -> str:
    return f"{100 * value:.1f} %" if _right_or_wrong(plotted) else f"{value:.2f}"


def _right_or_wrong(plotted: Plotted) -> bool:
    return bool(np.isin(np.concatenate([plotted.weak, plotted.strong]), (0.0, 1.0)).all())
