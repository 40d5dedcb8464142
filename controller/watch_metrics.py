"""What the watch sees, as metrics that are computed when they are asked for."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from controller.record_book import RecordBook
from controller.watch import Watch


class WatchCollector(Collector):
    """Runs in the metrics server's thread. Labels are bounded: shares to the whole percent, and records are files."""

    def __init__(self, watch: Watch, book: RecordBook) -> None:
        self._watch = watch
        self._book = book

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """The families."""
        share = GaugeMetricFamily(
            "pointsman_live_strong_share",
            "Share of the latest decisions by strong share that went to strong; target is what was asked for.",
            labels=["strategy", "checkpoint", "target"],
        )
        # PromQL can't read a number out of a label.
        target = GaugeMetricFamily(
            "pointsman_live_strong_share_target", "The strong share that was asked for.", labels=["strategy", "checkpoint", "target"]
        )
        decisions = GaugeMetricFamily(
            "pointsman_live_strong_share_decisions", "Decisions that the live share is of.", labels=["strategy", "checkpoint", "target"]
        )
        drift = GaugeMetricFamily(
            "pointsman_drift",
            "Population stability index of recent win rates against the record's sample.",
            labels=["strategy", "checkpoint", "record"],
        )
        past = GaugeMetricFamily(
            "pointsman_drift_past_limit",
            "1 where the index is above drift_limit: the record's certificate sends to strong.",
            labels=["strategy", "checkpoint", "record"],
        )
        for strategy, checkpoint, live in self._watch:
            for percent, window in list(live.shares.items()):
                row = [strategy, checkpoint, f"{percent / 100:g}"]
                share.add_metric(row, window.strong_share)
                target.add_metric(row, percent / 100)
                decisions.add_metric(row, window.decisions)
            for each in live.drifts:
                drift.add_metric([strategy, checkpoint, each.record], each.index)
                past.add_metric([strategy, checkpoint, each.record], float(each.past_limit))
        yield from (share, target, decisions, drift, past, self._expiries())

    def _expiries(self) -> GaugeMetricFamily:
        expires = GaugeMetricFamily(
            "pointsman_certificate_expires_timestamp_seconds", "When a certificate ends.", labels=["strategy", "record"]
        )
        for each in self._book.records.certificates:
            expires.add_metric([each.strategy, each.name], each.expires.timestamp())
        return expires
