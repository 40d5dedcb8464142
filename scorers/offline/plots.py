"""Curves of quality against strong share and against money, as PNG and SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Final

from pointsman.runtime.errors import InvalidRequest
from pointsman.runtime.whole_files import written_whole
from scorers.offline.picture import Drawing, Plotted, draw

_FORMATS: Final = ("png", "svg")


def write_plots(folder: Path, plotted: Sequence[Plotted], drawing: Drawing | None = None) -> None:
    """`<benchmark>.png` and `.svg` for each, and by cost `<benchmark>-money.png` and `.svg`, in place of earlier ones.

    All are drawn before the first is written, and each appears under its name when it is whole. Raises `InvalidRequest` where they can't
    be written.
    """
    drawing = drawing or Drawing()
    by_share = replace(drawing, cost=None)
    pictures = [(each, suffix, how) for each in plotted for suffix, how in (("", by_share), ("-money", drawing)) if how.cost or not suffix]
    files = {f"{each.benchmark}{suffix}.{name}": content for each, suffix, how in pictures for name, content in _drawn(each, how).items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            with written_whole(folder / name) as opened:
                opened.write(content)
    except OSError as error:
        raise InvalidRequest(f"{folder}: the plots can't be written: {error.strerror}.") from None


def _drawn(plotted: Plotted, drawing: Drawing) -> dict[str, bytes]:
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
        draw(figure, plotted, drawing)
        for name in _FORMATS:
            content = BytesIO()
            figure.savefig(content, format=name, dpi=150, metadata={"Date": None} if name == "svg" else None)
            drawn[name] = content.getvalue()
    return drawn
