"""What bert loads, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from pointsman.runtime.settings import StrategySettings
from scorers.errors import CheckpointRefused, EmbedderMismatch, InvalidOptions
from scorers.registry import build_router
from scorers.router import ModelPair
from tests.unit.scorers.bert.checkpoints import drawn_tensors, written
from tests.unit.scorers.bert.public_layout import write_public


def built(folder: Path, **options: str) -> Any:
    """The router over that directory."""
    return build_router("bert", StrategySettings(checkpoint=str(folder), options=options))


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """RouteLLM's layout, to be copied and spoilt."""
    folder = tmp_path_factory.mktemp("public")
    write_public(folder)
    return folder


def spoilt(public: Path, folder: Path, **files: Any) -> Path:
    """A copy by links with some files of its own."""
    for file in public.iterdir():
        if file.name not in files:
            (folder / file.name).symlink_to(file)
    for name, content in files.items():
        if isinstance(content, dict) and name.endswith(".safetensors"):
            save_file(content, folder / name)
        elif content is not None:
            (folder / name).write_text(json.dumps(content))
    return folder


def test_a_checkpoint_serves_under_its_name_hash_and_pair(tmp_path: Path) -> None:
    """As a calibration record will name it."""
    config = written(tmp_path)
    router = built(tmp_path)
    assert router.checkpoint == config.version
    assert router.trained_pair == ModelPair("big", "small")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: {k: v for k, v in t.items() if k != "classifier.bias"}, "tensors missing: classifier.bias"),
        (lambda t: {**t, "bert.encoder.layer.0.output.dense.bias": np.zeros(384, np.float32)}, "don't belong: bert.encoder.layer.0"),
        (lambda t: {**t, "classifier.bias": np.zeros(2, np.float32)}, r"classifier.bias is \[2\], not \[3\]"),
        (lambda t: {**t, "classifier.bias": np.zeros(3, np.int64)}, "classifier.bias is torch.int64"),
        (lambda t: {**t, "classifier.bias": np.full(3, np.nan, np.float32)}, "classifier.bias holds numbers that aren't finite"),
    ],
)
def test_tensors_that_are_not_exactly_those_replaced_are_refused(tmp_path: Path, change: Any, said: str) -> None:
    """Missing, extra, misshapen, of another kind or not finite: each is named."""
    written(tmp_path, change(drawn_tensors()))
    with pytest.raises(CheckpointRefused, match=said):
        built(tmp_path)


def test_another_base_than_the_checkpoints_is_refused(tmp_path: Path) -> None:
    """A changed last layer over other layers would give numbers that mean nothing."""
    written(tmp_path, base={"id": "all-MiniLM-L6-v2", "sha256": "f" * 64})
    with pytest.raises(EmbedderMismatch, match="its win rates would mean nothing"):
        built(tmp_path)


def test_weights_that_were_changed_after_writing_are_refused(tmp_path: Path) -> None:
    """One flipped bit is another file."""
    written(tmp_path)
    data = bytearray((tmp_path / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (tmp_path / "model.safetensors").write_bytes(data)
    with pytest.raises(CheckpointRefused, match="sha256 differs"):
        built(tmp_path)


def test_a_config_that_leaves_the_classifier_without_weights_is_refused(tmp_path: Path) -> None:
    """The base has none to give."""
    tensors = {name: tensor for name, tensor in drawn_tensors().items() if not name.startswith("classifier.")}
    config = written(tmp_path, tensors)
    changed = {**config.model_dump(mode="json"), "replaced": ["bert.encoder.layer.1.", "bert.pooler."]}
    (tmp_path / "config.json").write_text(json.dumps(changed))
    with pytest.raises(CheckpointRefused, match=r"tensors missing: classifier\.bias, classifier\.weight"):
        built(tmp_path)


def test_routellms_layout_loads_whatever_lies_beside_the_weights(public: Path) -> None:
    """The pickles in it would end the process if they were opened; the version is the folder's name and the weights' hash."""
    router = built(public)
    assert router.checkpoint.startswith("public")
    assert "@sha256:" in router.checkpoint
    assert router.trained_pair == ModelPair("", "")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: {k: v for k, v in t.items() if k != "classifier.out_proj.bias"}, "tensors missing: classifier.out_proj.bias"),
        (lambda t: {**t, "lm_head.bias": t["classifier.out_proj.bias"].clone()}, "don't belong: lm_head.bias"),
        (lambda t: {**t, "classifier.out_proj.bias": t["classifier.out_proj.bias"][:2].clone()}, r"is \[2\], not \[3\]"),
    ],
)
def test_routellms_layout_is_loaded_strictly(public: Path, tmp_path: Path, change: Any, said: str) -> None:
    """What upstream would have left random is an error here."""
    tensors = change(load_file(public / "model.safetensors"))
    with pytest.raises(CheckpointRefused, match=said):
        built(spoilt(public, tmp_path, **{"model.safetensors": tensors}))


def test_a_directory_with_pickled_weights_alone_is_refused(public: Path, tmp_path: Path) -> None:
    """`pytorch_model.bin` is never opened."""
    with pytest.raises(CheckpointRefused, match="no other kind of weights is loaded"):
        built(spoilt(public, tmp_path, **{"model.safetensors": None}))


def test_a_model_with_code_of_its_own_is_refused(public: Path, tmp_path: Path) -> None:
    """Nothing from a checkpoint is run."""
    config = json.loads((public / "config.json").read_text())
    with pytest.raises(CheckpointRefused, match="brings code of its own"):
        built(spoilt(public, tmp_path, **{"config.json": {**config, "auto_map": {"AutoModelForSequenceClassification": "evil.Model"}}}))


def test_a_classifier_of_other_than_three_labels_is_refused(tmp_path: Path) -> None:
    """The formula needs strong, tie and weak."""
    write_public(tmp_path, labels=2)
    with pytest.raises(CheckpointRefused, match="2 labels, not 3"):
        built(tmp_path)


def test_a_directory_without_tokenizer_or_config_is_refused(public: Path, tmp_path: Path) -> None:
    """The missing file is named."""
    with pytest.raises(CheckpointRefused, match=r"config\.json: can't be read"):
        built(tmp_path)
    with pytest.raises(CheckpointRefused, match=r"tokenizer\.json: can't be read"):
        built(spoilt(public, tmp_path, **{"tokenizer.json": None}))


def test_unknown_options_and_engines_are_named(tmp_path: Path) -> None:
    """With what there is instead."""
    written(tmp_path)
    with pytest.raises(InvalidOptions, match=r"options\.engin: unknown option; did you mean 'engine'"):
        built(tmp_path, engin="auto")
    with pytest.raises(InvalidOptions, match="'int3' isn't an engine; there are: auto, float32, bfloat16"):
        built(tmp_path, engine="int3")
