"""What counting costs on the way of every request."""

from __future__ import annotations

import functools
from typing import TypeVar

from prometheus_client.metrics import MetricWrapperBase

Metric = TypeVar("Metric", bound=MetricWrapperBase)


def remembering(metric: Metric) -> Metric:
    """The metric, whose `labels` finds again what it gave before; prometheus_client takes a lock and makes strings at every call.

    For labels that are bounded, as ours are, and positional; not for a metric whose children are removed.
    """
    metric.labels = functools.cache(metric.labels)  # type: ignore[method-assign]
    return metric
