"""Calibration records: shares to thresholds, whose record counts, and files that aren't one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

from controller.app import SHIPPED_RECORDS
from pointsman.calibration.files import write_record
from pointsman.calibration.records import Records
from pointsman.runtime.errors import NotCalibrated
from pointsman.runtime.settings_file import SettingsError
from tests.support.records import record


class CalibratedFor(BaseModel):
    """What of a checkpoint's config says which it is."""

    name: str
    weights_sha256: str


RATES = np.random.default_rng(3).beta(4, 3, 701)


@pytest.mark.parametrize("share", [0.013, 0.2, 0.5, 0.777, 0.999])
def test_a_share_is_the_samples_quantile(share: float) -> None:
    """Linear between two win rates, as RouteLLM has it."""
    of_all = record(quantiles=tuple(np.sort(RATES).tolist()))
    assert of_all.threshold(share) == pytest.approx(np.quantile(RATES, 1 - share), abs=1e-12)


def test_all_or_nothing_does_not_depend_on_the_sample() -> None:
    """A prompt that is easier than any of the sample still goes to strong at 100 %."""
    assert record().threshold(1) == 0
    assert record().threshold(0) == 1


def test_the_newest_record_of_the_checkpoint_counts() -> None:
    """Whatever the order of their files."""
    old, new = (record(created=datetime(year, 1, 1, tzinfo=UTC), quantiles=(0.0, high)) for year, high in ((2025, 0.2), (2026, 0.8)))
    for records in (Records([old, new]), Records([new, old])):
        assert records.calibration("mf", "scripted@sha256:0").threshold(0.5) == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("mf", "other@sha256:1"), r"other@sha256:1 of mf has no calibration record.*there for scripted@sha256:0"),
        (("bert", "scripted@sha256:0"), r"nor has any other"),
    ],
)
def test_a_record_of_another_checkpoint_is_refused(asked: tuple[str, str], said: str) -> None:
    """And the message says for which there is one."""
    with pytest.raises(NotCalibrated, match=said):
        Records([record()]).calibration(*asked)


def test_a_record_of_another_embedder_is_refused() -> None:
    """The same weights over other embeddings give other win rates."""
    records = Records([record(embedder="minilm@sha256:a")])
    assert records.calibration("mf", "scripted@sha256:0", "minilm@sha256:a").threshold(0.5) == pytest.approx(0.5)
    with pytest.raises(NotCalibrated):
        records.calibration("mf", "scripted@sha256:0", "minilm@sha256:b")


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    """Nothing half-written is left beside it, and a folder that isn't there has no records."""
    written = record(quantiles=(0.1, 0.25, 0.7))
    file = write_record(tmp_path / "new", written)
    assert [each.name for each in file.parent.iterdir()] == [f"{written.name}.json"]
    assert Records.load([tmp_path / "none", tmp_path / "new"]).of("mf", "scripted@sha256:0") == [written]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"quantiles": [0.5, 0.4]}, "quantiles must not fall"),
        ({"quantiles": [0.5, "NaN"]}, "quantiles.1"),
        ({"sample_size": 1}, "sample_size: Input should be greater"),
        ({"surprise": 1}, "surprise: Extra inputs"),
        ({"created": "2026-01-01T00:00:00"}, "created: Input should have timezone"),
    ],
)
def test_a_file_that_is_no_record_is_named(tmp_path: Path, change: Mapping[str, Any], said: str) -> None:
    """File and field."""
    content = {**record().model_dump(mode="json"), **change}
    (tmp_path / "wrong.json").write_text(str(content).replace("'", '"'))
    with pytest.raises(SettingsError, match=rf"wrong\.json: not a calibration record: .*{said}"):
        Records.load([tmp_path])


def test_a_torn_file_is_named(tmp_path: Path) -> None:
    """It isn't JSON."""
    (tmp_path / "torn.json").write_text('{"format": 1')
    with pytest.raises(SettingsError, match=r"torn\.json: not a calibration record: Invalid JSON"):
        Records.load([tmp_path])


def test_every_shipped_checkpoint_has_a_record() -> None:
    """By the hash in its own config; random has none, and a record all the same."""
    shipped = Path(__file__).parents[3] / "scorers"
    records = Records.load([SHIPPED_RECORDS])
    configs = {file.parts[-3]: CalibratedFor.model_validate_json(file.read_bytes()) for file in shipped.glob("*/checkpoint/config.json")}
    assert sorted(configs) == ["bert", "causal_llm", "mf", "sw_ranking"]
    for strategy, config in configs.items():
        (found,) = records.of(strategy, f"{config.name}@sha256:{config.weights_sha256[:12]}")
        assert [each.strong_share for each in found.thresholds] == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    (found,) = records.of("random", "none")
    assert [found.threshold(share) for share in (0.2, 0.5, 0.8)] == pytest.approx([0.8, 0.5, 0.2], abs=0.02)
