"""Figures of matplotlib as SVG files that change only when their data do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pointsman.runtime.whole_files import written_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9")
"""Okabe and Ito's, which colour-blind people tell apart."""


@contextmanager
def picture(file: Path, width: float = 7, height: float = 4.5, description: str = "") -> Iterator[Figure]:
    """A figure to draw on, in inches; written in place of an earlier one. A Figure of its own and not pyplot's, which would be global.

    `description` stands in the file, such as what it was drawn from.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # Without a salt and a date the same data gives the same SVG.
    with rc_context({"svg.hashsalt": "pointsman"}):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure
        content = BytesIO()
        figure.savefig(content, format="svg", metadata={"Date": None, **({"Description": description} if description else {})})
    with written_whole(file) as opened:
        opened.write(content.getvalue())
