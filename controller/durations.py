"""What histograms have counted, for AdminService.Stats: read when it asks, so that no request pays for it."""

from __future__ import annotations

import math

from prometheus_client import Histogram

from pointsman.v1 import admin_service_pb2

Durations = admin_service_pb2.StatsResponse.Durations


def durations_of(histogram: Histogram) -> list[Durations]:
    """One for each value of its one label, or of `pair` and another, in seconds; none for what has counted nothing."""
    found: dict[tuple[str, str], Durations] = {}
    for family in histogram.collect():
        for sample in family.samples:
            pair = sample.labels.get("pair", "")
            (name,) = (value for label, value in sample.labels.items() if label not in ("pair", "le"))
            of = found.setdefault((pair, name), Durations(pair=pair, name=name))
            if sample.name.endswith("_sum"):
                of.sum_s = sample.value
            elif sample.name.endswith("_count"):
                of.count = int(sample.value)
            elif sample.name.endswith("_bucket") and math.isfinite(at_most_s := float(sample.labels["le"])):
                of.buckets.add(at_most_s=at_most_s, count=int(sample.value))
    return [each for each in found.values() if each.count]
