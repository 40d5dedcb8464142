"""Certificates: what they say, whose win rates the tried thresholds are from, slices, and what can't be certified."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pointsman.calibration.making import Data, Promise, Scorer, certificate
from pointsman.runtime.errors import InvalidRequest
from tests.support.records import record
from tests.unit.calibration.test_certifying import population

SCORER = Scorer("mf", "scripted@sha256:0", "")
DATA = Data("labels.csv", "1" * 64)


def promise(**changes: object) -> Promise:
    """At most 5 % lost, with 90 % confidence."""
    fields = {
        "pair": "default",
        "strong_model": "big",
        "weak_model": "small",
        "judge": "exact match",
        "max_quality_loss": 0.05,
        "delta": 0.1,
    }
    return Promise(**{**fields, "expires": datetime(2030, 1, 1, tzinfo=UTC), **changes})  # type: ignore[arg-type]


def test_a_certificate_says_what_it_promises_and_what_it_was_made_from() -> None:
    """The thresholds tried are the calibration record's."""
    calibration = record(quantiles=tuple(n / 100 for n in range(101)))
    made = certificate(SCORER, population(2000, 3), [], DATA, promise(), calibration)
    assert (made.sample_size, made.checkpoint, made.grid) == (2000, "scripted@sha256:0", f"calibration record {calibration.name}")
    assert made.loss <= made.bound <= made.max_quality_loss == 0.05
    assert 0.05 < made.weak_share < 1
    assert made.threshold in calibration.quantiles
    assert made.quantiles[0] < made.threshold < made.quantiles[-1]
    assert not made.slices


@pytest.mark.parametrize("calibration", [None, record(data_sha256=DATA.sha256)])
def test_without_a_record_of_other_prompts_a_tenth_of_the_labels_gives_the_thresholds(calibration: object) -> None:
    """They aren't tested then."""
    made = certificate(SCORER, population(1000, 3), [], DATA, promise(), calibration)  # type: ignore[arg-type]
    assert (made.sample_size, made.grid) == (900, "100 of the labelled prompts, which weren't tested")


def test_slices_all_pass_at_a_smaller_delta() -> None:
    """One threshold for all, the least of theirs; more slices cost weak share."""
    labels = population(4000, 5)
    whole = certificate(SCORER, labels, [], DATA, promise(), None)
    sliced = certificate(SCORER, labels, ["a", "b"] * 2000, DATA, promise(), None)
    assert [each.name for each in sliced.slices] == ["a", "b"]
    assert sliced.threshold == min(each.threshold for each in sliced.slices) <= whole.threshold
    assert sum(each.sample_size for each in sliced.slices) == sliced.sample_size == 3600
    assert all(each.bound <= 0.05 for each in sliced.slices)


@pytest.mark.parametrize(
    ("count", "slices", "said"),
    [
        (40, [], "With 36 labelled prompts no weak share can be certified to lose at most 0.05 with confidence 0.9: it takes 60"),
        (400, ["big"] * 380 + ["tiny"] * 20, "in the slice 'tiny' no weak share can be certified"),
        (1, [], "1 prompts are too few"),
    ],
)
def test_what_cannot_be_certified_is_said_with_the_reason(count: int, slices: list[str], said: str) -> None:
    """And nothing is made."""
    with pytest.raises(InvalidRequest, match=said):
        certificate(SCORER, population(count, 3), slices, DATA, promise(), None)
