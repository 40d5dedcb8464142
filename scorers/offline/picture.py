"""What one picture shows: a curve for each strategy, baselines, and the thresholds of some strong shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from scorers.offline.baselines import oracle_curve
from scorers.offline.marks import Mark, columns, marked
from scorers.offline.metrics import Arithmetic, Curve, ExactOrder, Floats, curve, figures
from scorers.offline.money import Cost
from scorers.offline.scored import Scores

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
"""Okabe and Ito's, which colour-blind people tell apart."""
_STYLES: Final = ("-", "--", "-.", ":")
"""Another one after every round of the colours."""
_LARGE, _MEDIUM, _SMALL = 22, 17, 14
_WHITE: Final = "#ffffff"
_INK: Final = "#333333"
_PALE: Final = "#999999"
_MOST_POINTS: Final = 2000
"""Of a drawn curve: more than the picture has columns."""
_FEW_MARKS: Final = 4
_FIRST_LINE, _LINE = -66, -19  # points below the axes


@dataclass(frozen=True, slots=True)
class Plotted:
    """One benchmark: each strategy's win rates, and both models' outcomes (n,)."""

    benchmark: str
    scores: Scores
    weak: Floats
    strong: Floats


@dataclass(frozen=True, slots=True)
class Drawing:
    """How pictures are drawn."""

    arithmetic: Arithmetic = ExactOrder
    marks: Sequence[float] = ()
    """Strong shares whose thresholds are marked."""
    cost: Cost | None = None
    """Of 1,000 requests; None is a picture against strong share."""

    def across(self, shares: Any) -> Any:
        """Where a strong share lies on the axis: per cent, or money."""
        return self.cost.of_share(shares) if self.cost else 100 * shares


def draw(figure: Figure, plotted: Plotted, drawing: Drawing) -> None:
    """Onto an empty figure."""
    axes = figure.add_subplot()
    found: list[tuple[str, str, list[Mark]]] = []
    for number, (strategy, scores) in enumerate(plotted.scores.items()):
        look = {"color": _COLOURS[number % len(_COLOURS)], "linestyle": _STYLES[number // len(_COLOURS) % len(_STYLES)]}
        found.append((strategy, look["color"], _strategy(axes, strategy, plotted, scores, drawing, **look)))
    _baselines(axes, plotted, drawing)
    _single_models(axes, plotted, drawing)
    _labels(axes, plotted, drawing)
    if drawing.marks:
        _thresholds(axes, drawing, found)
    figure.legend(loc="outside right center", fontsize=_SMALL, frameon=False, labelspacing=0.9)


def _strategy(axes: Axes, strategy: str, plotted: Plotted, scores: Sequence[float], drawing: Drawing, **look: Any) -> list[Mark]:
    found = figures(scores, plotted.weak, plotted.strong, drawing.arithmetic)
    points = curve(scores, plotted.weak, plotted.strong, drawing.arithmetic)
    label = f"{strategy}\nAPGR {found.apgr:.2f}, CPT50 {100 * found.cpt50:.0f} %" if np.isfinite(found.apgr) else strategy
    axes.plot(*_line(points, drawing), linewidth=2.8, label=label, **look)
    dot = {"linestyle": "", "color": look["color"], "clip_on": False}
    if np.isfinite(found.cpt50):
        half = (plotted.weak.mean() + plotted.strong.mean()) / 2
        axes.plot([drawing.across(found.cpt50)], [half], marker="o", markersize=10, markeredgecolor=_WHITE, zorder=5, **dot)
    marks = marked(scores, drawing.marks)
    for mark in marks:
        place = [drawing.across(mark.sent)], [points.quality_at(mark.sent)]
        axes.plot(*place, marker="o", markersize=9, markerfacecolor=_WHITE, markeredgewidth=2.4, zorder=4.5, **dot)
    return marks


def _line(points: Curve, drawing: Drawing) -> tuple[Floats, Floats]:
    kept = np.unique(np.linspace(0, len(points.shares) - 1, min(_MOST_POINTS, len(points.shares))).round().astype(np.int64))
    return drawing.across(points.shares[kept]), points.quality[kept]


def _baselines(axes: Axes, plotted: Plotted, drawing: Drawing) -> None:
    weak, strong = float(plotted.weak.mean()), float(plotted.strong.mean())
    best = _line(oracle_curve(plotted.weak, plotted.strong), drawing)
    axes.plot(*best, color=_INK, linewidth=1.8, linestyle=(0, (6, 3)), label="oracle", zorder=1.8)
    ends = [drawing.across(0), drawing.across(1)]
    axes.plot(ends, [weak, strong], color=_INK, linewidth=1.8, linestyle=(0, (1, 2)), label="random order", zorder=1.8)
    if weak != strong:
        label = "half of the gain: ● CPT50"
        axes.axhline((weak + strong) / 2, color=_PALE, linewidth=1.2, label=label, zorder=1)


def _single_models(axes: Axes, plotted: Plotted, drawing: Drawing) -> None:
    for share, name, outcomes, marker in ((0, "always weak", plotted.weak, "s"), (1, "always strong", plotted.strong, "D")):
        label = f"{name} ({_quality(plotted, float(outcomes.mean()))})"
        place = [drawing.across(share)], [outcomes.mean()]
        axes.plot(*place, marker=marker, markersize=11, color=_INK, linestyle="", label=label, zorder=6, clip_on=False)


def _labels(axes: Axes, plotted: Plotted, drawing: Drawing) -> None:
    # A file's name may hold a dollar sign, which would begin a formula.
    axes.set_title(f"{plotted.benchmark}, n = {len(plotted.weak):,}", fontsize=_LARGE, pad=14, parse_math=False)
    if drawing.cost:
        axes.set_xlabel(f"Cost of 1,000 requests{f' ({drawing.cost.currency})' if drawing.cost.currency else ''}", fontsize=_MEDIUM)
    else:
        axes.set_xlabel("Calls sent to the strong model", fontsize=_MEDIUM)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g} %")
    axes.set_ylabel("Quality (right answers)" if _right_or_wrong(plotted) else "Quality (mean outcome)", fontsize=_MEDIUM)
    if _right_or_wrong(plotted):
        axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.4g} %")
    axes.tick_params(labelsize=_SMALL)
    axes.set_xlim(drawing.across(0), drawing.across(1))
    axes.grid(color="#dddddd", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)


def _thresholds(axes: Axes, drawing: Drawing, found: Sequence[tuple[str, str, Sequence[Mark]]]) -> None:
    """Each mark's value in its strategy's colour, straight below it: beside the points five strategies' would cover the curves."""
    places = columns(drawing.marks)
    axes.plot([], [], marker="o", markersize=9, markerfacecolor=_WHITE, markeredgewidth=2.4, color=_INK, linestyle="", label="threshold")
    _written(axes, 0, 0, "threshold at", _INK, "right")
    for place, share in zip(places, drawing.marks, strict=True):
        axes.axvline(drawing.across(share), color=_PALE, linewidth=1, linestyle=(0, (1, 3)), zorder=1)
        _written(axes, place, 0, f"{100 * share:g} %{' strong' if len(places) <= _FEW_MARKS else ''}", _INK, "center")
    for line, (strategy, colour, marks) in enumerate(found, 1):
        _written(axes, 0, line, strategy, _darker(colour), "right")
        for place, mark in zip(places, marks, strict=True):
            _written(axes, place, line, mark.text, _darker(colour), "center")


def _written(axes: Axes, place: float, line: int, text: str, colour: str, side: str) -> None:
    """`place` is along the axis, from 0 to 1; the names stand to its left."""
    left = -22 if side == "right" else 0
    look: dict[str, Any] = {"fontsize": _SMALL, "color": colour, "ha": side, "va": "center", "annotation_clip": False, "parse_math": False}
    axes.annotate(text, (place, 0), xycoords="axes fraction", xytext=(left, _FIRST_LINE + _LINE * line), textcoords="offset points", **look)


def _darker(colour: str) -> str:
    """For text, whose strokes are thinner than a curve."""
    return "#" + "".join(f"{int(colour[at : at + 2], 16) * 3 // 4:02x}" for at in (1, 3, 5))


def _quality(plotted: Plotted, value: float) -> str:
    return f"{100 * value:.1f} %" if _right_or_wrong(plotted) else f"{value:.2f}"


def _right_or_wrong(plotted: Plotted) -> bool:
    return bool(np.isin(np.concatenate([plotted.weak, plotted.strong]), (0.0, 1.0)).all())
