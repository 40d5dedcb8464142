"""measured.json: what was measured of one machine, and what is still taken from elsewhere, with its source."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np

from scorers.errors import InvalidData

FILE: Final = Path(__file__).with_name("measured.json")


@dataclass(frozen=True, slots=True)
class Service:
    """Seconds that a model takes for a batch: `per_batch + per_prompt * prompts`."""

    per_batch: float
    per_prompt: float

    def __call__(self, prompts: int) -> float:
        """Of so many prompts."""
        return self.per_batch + self.per_prompt * prompts


@dataclass(frozen=True, slots=True)
class Fit:
    """A line through the medians of one prompt length."""

    service: Service
    error: float
    """The largest relative distance of a median from it."""


@dataclass(frozen=True, slots=True)
class Cpu:
    """Processor seconds: gateway and controller of a decision, Serve of a call to a scorer, of which HAProxy."""

    gateway: float
    controller: float
    serve: float
    haproxy: float


@dataclass(frozen=True, slots=True)
class Measured:
    """All of measured.json."""

    fits: Mapping[str, Mapping[int, Fit]]
    """By strategy and words of a prompt."""
    cpu: Cpu
    hop: float
    """Seconds that a call to an idle scorer takes beside the model, both ways."""
    memory_mib: Mapping[str, float]
    """Of a process: a strategy's replica, `gateway`, `controller`; `ray` is a node's own processes."""
    raw: Mapping[str, Any]

    @classmethod
    def read(cls, file: Path = FILE) -> Self:
        """Raises `InvalidData` where a key is missing or a value isn't a number."""
        try:
            raw = json.loads(file.read_text(encoding="utf-8"))
            milliseconds = raw["cpu_ms_per_decision"]
            gateway, controller, serve = (milliseconds[name] / 1e3 for name in ("gateway", "controller", "serve_per_call"))
            return cls(
                fits={strategy: fits(rows) for strategy, rows in raw["service"].items()},
                cpu=Cpu(gateway, controller, serve, haproxy=raw["haproxy_ms_per_call"] / 1e3),
                hop=raw["hop_ms"] / 1e3,
                memory_mib=raw["memory_mib"],
                raw=raw,
            )
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise InvalidData(f"{file}: it can't be read as measurements: {type(error).__name__}: {error}.") from None

    def service(self, strategy: str, words: int) -> Service:
        """Between two measured lengths on the line between them; beyond the measured ones as at the nearest. Raises `InvalidData`."""
        if strategy not in self.fits:
            raise InvalidData(f"{strategy} wasn't measured; there are: {', '.join(sorted(self.fits))}.")
        lengths = sorted(self.fits[strategy])
        found = [self.fits[strategy][length].service for length in lengths]
        ends = ([each.per_batch for each in found], [each.per_prompt for each in found])
        return Service(*(float(np.interp(words, lengths, each)) for each in ends))


def fits(rows: list[Mapping[str, float]]) -> dict[int, Fit]:
    """From rows of words, prompts and ms (of the whole batch), by words."""
    by_words: dict[int, list[tuple[int, float]]] = {}
    for row in rows:
        by_words.setdefault(int(row["words"]), []).append((int(row["prompts"]), row["ms"] / 1e3))
    return {words: fitted(points) for words, points in by_words.items()}


def fitted(points: list[tuple[int, float]]) -> Fit:
    """The line through (prompts, seconds) whose relative errors are least in squares; neither part is below 0."""
    sizes, seconds = (np.array(each, dtype=float) for each in zip(*points, strict=True))
    # Divided by the measured seconds, for an error of 1 ms is much for one prompt and nothing for 32.
    columns = np.stack([1 / seconds, sizes / seconds], axis=1)
    (per_batch, per_prompt), *_ = np.linalg.lstsq(columns, np.ones(len(sizes)), rcond=None)
    if per_batch < 0:
        per_batch, per_prompt = 0.0, float((sizes / seconds).sum() / ((sizes / seconds) ** 2).sum())
    service = Service(float(per_batch), float(max(per_prompt, 0.0)))
    return Fit(service, float(np.max(np.abs(service.per_batch + service.per_prompt * sizes - seconds) / seconds)))
