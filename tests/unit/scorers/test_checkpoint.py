"""What a checkpoint may be, and what's refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pointsman.runtime.settings import StrategySettings
from scorers.embedding.hashing import HashingEmbedder
from scorers.errors import CheckpointRefused, EmbedderMismatch, InvalidOptions
from scorers.registry import build_router
from tests.unit.scorers.checkpoints import random_tensors, written

GOOD = random_tensors(num_models=2, dim=8, text_dim=384)


def built(folder: Path) -> Any:
    """The mf router over that directory."""
    return build_router("mf", StrategySettings(checkpoint=str(folder)))


def test_a_checkpoint_serves_under_its_name_and_its_weights_hash(tmp_path: Path) -> None:
    """The version is what the file is."""
    config = written(tmp_path)
    assert built(tmp_path).checkpoint == config.version == f"tested@sha256:{config.weights_sha256[:12]}"


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({k: v for k, v in GOOD.items() if k != "P.weight"}, "tensors missing: P.weight"),
        ({**GOOD, "Q.weight": GOOD["P.weight"]}, "don't belong: Q.weight"),
        ({**GOOD, "P.weight": GOOD["P.weight"][:, :4]}, r"P.weight is \[2, 4\], not \[2, 8\]"),
        ({**GOOD, "P.weight": GOOD["P.weight"].astype(np.float64)}, "P.weight is float64"),
        ({**GOOD, "P.weight": GOOD["P.weight"] * np.float32("nan")}, "P.weight holds numbers that aren't finite"),
    ],
)
def test_tensors_that_are_not_exactly_those_expected_are_refused(tmp_path: Path, tensors: Any, said: str) -> None:
    """Missing, extra, misshapen, of another type or not finite: each is named."""
    written(tmp_path, tensors, dim=8)
    with pytest.raises(CheckpointRefused, match=said):
        built(tmp_path)


def test_weights_that_were_changed_after_writing_are_refused(tmp_path: Path) -> None:
    """One flipped bit is another file."""
    written(tmp_path)
    data = bytearray((tmp_path / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (tmp_path / "model.safetensors").write_bytes(data)
    with pytest.raises(CheckpointRefused, match="sha256 differs"):
        built(tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"strategy": "bert"}, "strategy: Input should be 'mf'"),
        ({"models": {"big": 0, "small": 2}}, "a row of its own from 0 to 1"),
        ({"models": {"big": 1, "small": 1}}, "a row of its own"),
        ({"weak": "other"}, "strong and weak must be two of models"),
        ({"surprise": 1}, "surprise: Extra inputs"),
        ({"embedder": {"id": "nowhere", "sha256": "0" * 64, "dim": 384}}, "No embedder is named 'nowhere' here"),
    ],
)
def test_a_config_that_does_not_fit_is_refused_in_a_sentence(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    """The file and the field are named."""
    written(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, **change}))
    with pytest.raises(CheckpointRefused, match=said):
        built(tmp_path)


def test_a_directory_without_a_checkpoint_is_refused(tmp_path: Path) -> None:
    """The missing file is named."""
    with pytest.raises(CheckpointRefused, match=r"config\.json: can't be read"):
        built(tmp_path)


def test_other_embeddings_than_the_checkpoints_are_refused(tmp_path: Path) -> None:
    """The same name with other weights would give numbers that mean nothing."""
    written(tmp_path, embedder=HashingEmbedder())
    config = json.loads((tmp_path / "config.json").read_text())
    config["embedder"]["sha256"] = "f" * 64
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(EmbedderMismatch, match="its win rates would mean nothing"):
        built(tmp_path)


def test_mf_takes_no_options(tmp_path: Path) -> None:
    """A misplaced option is named before anything is loaded."""
    with pytest.raises(InvalidOptions, match=r"strategies\.mf\.options\.seed: unknown option"):
        build_router("mf", StrategySettings(options={"seed": 1}))
