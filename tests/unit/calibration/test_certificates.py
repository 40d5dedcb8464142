"""Which certificate a quality loss uses, and why there is none."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pointsman.calibration.files import read_record, write_record
from pointsman.calibration.records import Records
from pointsman.runtime.errors import NotCertified
from pointsman.runtime.settings_file import SettingsError
from tests.support.records import certified, record

NOW = datetime(2026, 6, 1, tzinfo=UTC)
MODELS = ("big", "small")


def threshold(records: Records, loss: float, *, pair: str = "default", models: tuple[str, str] = MODELS, embedder: str = "") -> float:
    """What mf's scripted checkpoint would use."""
    return records.certificate("mf", "scripted@sha256:0", embedder, pair, models, loss, NOW).threshold


def test_the_one_that_may_lose_the_most_within_what_was_asked_counts() -> None:
    """Of two alike the newer one."""
    older = certified(max_quality_loss=0.03, threshold=0.3)
    newer = certified(max_quality_loss=0.03, threshold=0.35, created=datetime(2026, 2, 1, tzinfo=UTC), data_sha256="2" * 64)
    records = Records([older, certified(max_quality_loss=0.01, threshold=0.1), newer, record()])
    assert [threshold(records, loss) for loss in (0.01, 0.02, 0.03, 1)] == [0.1, 0.1, 0.35, 0.35]
    with pytest.raises(NotCertified, match=r"quality lost at 0\.005: the least that it is certified for is 0\.01"):
        threshold(records, 0.005)


@pytest.mark.parametrize(
    ("changes", "asked", "said"),
    [
        ({"checkpoint": "other@sha256:1"}, {}, "it has none"),
        ({"pair": "other"}, {}, "it has none"),
        ({"embedder": "minilm@sha256:a"}, {"embedder": "minilm@sha256:b"}, "it has none"),
        ({"expires": NOW}, {}, "its certificates have expired"),
        ({"weak_model": "smaller"}, {}, "its certificates are of other models than the pair has now"),
    ],
)
def test_one_of_another_checkpoint_pair_or_model_is_refused(changes: dict[str, object], asked: dict[str, str], said: str) -> None:
    """And the message says what is wrong with those that are there."""
    with pytest.raises(NotCertified, match=said):
        threshold(Records([certified(**changes)]), 0.05, **asked)  # type: ignore[arg-type]


def test_what_was_written_is_read_again_as_what_it_was(tmp_path: Path) -> None:
    """The ending of its name says which it is."""
    for written in (certified(), record()):
        assert read_record(write_record(tmp_path, written)) == written
    assert len(Records.load([tmp_path]).certificates) == 1
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "mf-0-000000000000.json",
        "mf-0-default-0.03-0.05-000000000000.certificate.json",
    ]


def test_a_wrong_certificate_is_named(tmp_path: Path) -> None:
    """File and field."""
    file = write_record(tmp_path, certified())
    file.write_text(file.read_text().replace('"delta":0.05', '"delta":0'))
    with pytest.raises(SettingsError, match=r"certificate\.json: not a certificate: delta: Input should be greater than 0"):
        Records.load([tmp_path])
