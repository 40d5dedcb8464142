"""Where the time went, as `pointsman stats` shows it."""

from __future__ import annotations

import pytest
from rich.console import Console

from pointsman.cli.hops import Durations, show_hops, within
from pointsman.v1 import admin_service_pb2

_BUCKETS = [Durations.Bucket(at_most_s=0.01, count=50), Durations.Bucket(at_most_s=0.03, count=90), Durations.Bucket(at_most_s=2, count=98)]


@pytest.mark.parametrize(("share", "seconds"), [(0.25, 0.005), (0.5, 0.01), (0.7, 0.02), (0.98, 2), (0.99, None)])
def test_a_quantile_is_interpolated_in_its_bucket(share: float, seconds: float | None) -> None:
    """Past the last bucket nothing is known."""
    found = within(Durations(count=100, buckets=_BUCKETS), share)
    assert found == (None if seconds is None else pytest.approx(seconds))


def test_an_empty_bucket_holds_no_quantile() -> None:
    """The least of all are in the first that isn't."""
    buckets = [Durations.Bucket(at_most_s=1), Durations.Bucket(at_most_s=3, count=4)]
    assert within(Durations(count=4, buckets=buckets), 0) == 1


def test_each_hop_that_was_counted_is_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    """The router's by pair and strategy, and in the order in which a request passes them."""
    answer = admin_service_pb2.StatsResponse(
        router=[Durations(pair="default", name="mf", count=100, sum_s=2.5, buckets=_BUCKETS), Durations(name="never")],
        scorer_wait=[Durations(name="mf", count=100, sum_s=0.1, buckets=_BUCKETS)],
        first_byte=[Durations(name="strong", count=4, sum_s=8)],
    )
    show_hops(Console(width=200), answer)
    rows = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert [row for row in rows if row.startswith(("queue", "scoring", "router", "backend"))] == [
        "queue for scorers mf 100 1 ms 10 ms 1.26 s over 2 s",
        "router, in all default, mf 100 25 ms 10 ms 1.26 s over 2 s",
        "backend's first byte strong 4 2 s",
    ]
    show_hops(Console(), admin_service_pb2.StatsResponse())
    assert capsys.readouterr().out == ""
