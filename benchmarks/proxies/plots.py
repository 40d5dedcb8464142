"""The measurements as pictures: processor time and latency by service, for each kind of load."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.pictures import COLOURS, picture
from benchmarks.proxies.table import Found, median

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SERVICES: Final = dict(zip(("pointsman", "litellm", "routellm", "direct"), COLOURS, strict=False))
_PERCENTILES: Final = ("p50", "p90", "p99")


def write(found: Found, stem: Path) -> list[Path]:
    """`STEM-cpu.svg` and `STEM-latency.svg`, side by side with the tables; which files they are."""
    services = [name for name in _SERVICES if all(name in by_service for by_service in found.values())]
    measured = [name for name in services if name != "direct"]  # whose CPU is a tenth of a percent of the others'
    files = [stem.with_name(f"{stem.stem}-{what}.svg") for what in ("cpu", "latency")]
    _bars(found, measured, files[0])
    _ranges(found, services, files[1])
    return files


def _bars(found: Found, services: Sequence[str], file: Path) -> None:
    """Processor milliseconds of an answer."""
    with _rows(found, services, file) as (axes, places):
        for service in services:
            lengths = [median(by_service[service], "cpu_ms_per_call", "service") for by_service in found.values()]
            axes.barh(places[service], lengths, 0.9 * 0.8 / len(services), color=_SERVICES[service], label=service)
        axes.set(xlabel="CPU of an answer, ms")


def _ranges(found: Found, services: Sequence[str], file: Path) -> None:
    """From the median to the 99th percentile, on a logarithmic axis."""
    with _rows(found, services, file) as (axes, places):
        for service in services:
            for at, by_service in zip(places[service], found.values(), strict=True):
                values = [median(by_service[service], "latency_ms", each) for each in _PERCENTILES]
                label = service if at == places[service][0] else None
                axes.plot(values, [at] * len(values), marker="|", markersize=7, linewidth=3, color=_SERVICES[service], label=label)
        axes.set(xlabel=f"latency, ms: {', '.join(_PERCENTILES)}", xscale="log")


@contextmanager
def _rows(found: Found, services: Sequence[str], file: Path) -> Iterator[tuple[Axes, dict[str, list[float]]]]:
    """Axes with a row for each kind of load, and where in it each service has its place."""
    step = 0.8 / len(services)
    middle = (len(services) - 1) / 2
    with picture(file, width=8, height=1.1 + 0.75 * len(found)) as figure:
        axes = figure.add_subplot()
        yield axes, {name: [row + (place - middle) * step for row in range(len(found))] for place, name in enumerate(services)}
        axes.set(yticks=range(len(found)), yticklabels=list(found))
        axes.invert_yaxis()
        axes.grid(axis="x", color="#dddddd", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        figure.legend(loc="outside upper center", ncols=len(services), frameon=False)
