"""What an evaluation found of a benchmark, as JSON objects and as a table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from rich.markup import escape
from rich.table import Table

from scorers.offline.baselines import Baselines
from scorers.offline.picture import Plotted

_SHOWN: Final = ("apgr", "cpt20", "cpt50", "cpt80", "auc")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Of one benchmark; `figures` by strategy, with their intervals."""

    plotted: Plotted
    figures: Mapping[str, Mapping[str, float]]
    baselines: Baselines

    def as_objects(self, metrics: str) -> list[Any]:
        """For JSON, one for each strategy."""
        base, n = self.baselines, len(self.plotted.weak)
        head = {"benchmark": self.plotted.benchmark, "n": n, "strong": base.always_strong, "weak": base.always_weak, "metrics": metrics}
        return [
            _without_nan({"strategy": name, **head, **figures, "baselines": base.as_fields()}) for name, figures in self.figures.items()
        ]


def table(found: Sequence[Evaluation], metrics: str) -> Table:
    """For a person; the baselines under each benchmark's strategies."""
    title = "95 % bootstrap intervals in brackets" + ("; RouteLLM's arithmetic" if metrics == "upstream" else "")
    rows = Table("benchmark", "strategy", "n", "quality", *_SHOWN, title=title)
    for each in found:
        head, n = escape(each.plotted.benchmark), str(len(each.plotted.weak))
        for name, figures in each.figures.items():
            cells = [f"{figures[figure]:.3f} [{figures[figure + '_low']:.3f}, {figures[figure + '_high']:.3f}]" for figure in _SHOWN]
            rows.add_row(head, escape(name), n, "", *cells)
        for name in ("oracle", "random_order"):
            of_order = asdict(getattr(each.baselines, name))
            rows.add_row(head, name, n, "", *(f"{of_order[figure]:.3f}" for figure in _SHOWN), style="dim")
        for name in ("always_weak", "always_strong", "best_single"):
            rows.add_row(head, name, n, f"{getattr(each.baselines, name):.4f}", style="dim")
        rows.add_section()
    return rows


def _without_nan(value: Any) -> Any:
    """JSON has no NaN and no infinity: a figure that there isn't is null."""
    if isinstance(value, Mapping):
        return {name: _without_nan(each) for name, each in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
