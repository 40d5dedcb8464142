"""What calls took, and what is said of many of them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Final

_SHOWN: Final = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999, "max": 1.0}


@dataclass(frozen=True, slots=True)
class Sample:
    """One call. Times are in seconds on one monotonic clock."""

    due: float
    """When it was to begin. Under open-loop load later than `began - due` is the generator's or the service's queue, and counts."""
    began: float
    first_byte: float
    """When the first byte of the answer came; the end where none did."""
    ended: float
    error: str = ""
    """What went wrong: an HTTP status, a gRPC code, or the name of an exception; empty where nothing did."""


@dataclass(frozen=True, slots=True)
class Summary:
    """Of all calls that ended within the measured time."""

    calls: int
    per_second: float
    latency_ms: dict[str, float]
    """From when a call was due to its last byte, of those that succeeded; percentiles by nearest rank."""
    first_byte_ms: dict[str, float]
    late_ms: dict[str, float]
    """How long after it was due a call began: 0 under closed-loop load."""
    errors: dict[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """For a JSON document."""
        return asdict(self)


def summary(samples: Sequence[Sample], seconds: float) -> Summary:
    """Of the calls of `seconds` seconds. A call that failed counts among the errors and in no latency."""
    good = [sample for sample in samples if not sample.error]
    return Summary(
        calls=len(samples),
        per_second=round(len(good) / seconds, 2),
        latency_ms=percentiles(sample.ended - sample.due for sample in good),
        first_byte_ms=percentiles(sample.first_byte - sample.due for sample in good),
        late_ms=percentiles(sample.began - sample.due for sample in samples),
        errors=dict(Counter(sample.error for sample in samples if sample.error)),
    )


def percentiles(seconds: Iterable[float]) -> dict[str, float]:
    """Milliseconds by name, by nearest rank; empty of nothing."""
    values = sorted(seconds)
    if not values:
        return {}
    return {name: round(1000 * values[max(0, math.ceil(share * len(values)) - 1)], 3) for name, share in _SHOWN.items()}
