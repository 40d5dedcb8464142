"""causal_llm over RouteLLM's layout: what isn't that layout, or asks for what can't be, is refused in a sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from pointsman.runtime.settings import StrategySettings
from scorers.errors import CheckpointRefused, InvalidOptions
from scorers.registry import build_router
from tests.unit.scorers.causal_llm.llamas import PLAIN, VOCABULARY, built, rates, save_shards, write_routellm, write_tokenizer


@pytest.fixture
def changeable(tmp_path: Path) -> Path:
    """A directory to damage."""
    write_routellm(tmp_path, vocabulary=VOCABULARY, hidden=8)
    write_tokenizer(tmp_path / "tokenizer", plain=PLAIN)
    return tmp_path


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda tensors: tensors.pop("model.layers.1.mlp.up_proj.weight"), r"tensors missing: model\.layers\.1\.mlp\.up_proj\.weight"),
        (lambda tensors: tensors.update({"model.extra": torch.zeros(1)}), r"don't belong: model\.extra"),
        (lambda tensors: tensors.update({"model.norm.weight": torch.ones(9)}), r"model\.norm\.weight is \[9\], not \[8\]"),
        (lambda tensors: tensors["model.norm.weight"].fill_(torch.nan), r"model\.norm\.weight holds something else than finite"),
    ],
    ids=["missing", "extra", "misshapen", "not finite"],
)
def test_weights_that_are_not_exactly_the_models_are_refused(changeable: Path, change: Any, said: str) -> None:
    """Each is named, and nothing is left random."""
    tensors = load_file(changeable / "model.safetensors")
    change(tensors)
    save_file(tensors, changeable / "model.safetensors")
    with pytest.raises(CheckpointRefused, match=said):
        built(changeable)


def test_pickled_weights_are_never_read(changeable: Path) -> None:
    """A `pytorch_model.bin` alone is no checkpoint."""
    (changeable / "model.safetensors").rename(changeable / "pytorch_model.bin")
    with pytest.raises(CheckpointRefused, match=r"model\.safetensors: can't be read"):
        built(changeable)


def test_code_in_the_directory_is_never_run(changeable: Path) -> None:
    """`auto_map` is ignored: the model is transformers' own Llama."""
    (changeable / "modeling.py").write_text("raise SystemExit('run')")
    config = json.loads((changeable / "config.json").read_text())
    config["auto_map"] = {"AutoConfig": "modeling.Config", "AutoModelForCausalLM": "modeling.Model"}
    (changeable / "config.json").write_text(json.dumps(config))
    assert 0 < rates(built(changeable), ["the"])[0] < 1


@pytest.mark.parametrize("shard", ["../model.safetensors", "gone.safetensors", 3])
def test_an_index_that_leads_elsewhere_is_refused(changeable: Path, shard: object) -> None:
    """Shards are files of the directory, and there."""
    save_shards(changeable, load_file(changeable / "model.safetensors"), 2)
    index = json.loads((changeable / "model.safetensors.index.json").read_text())
    index["weight_map"]["model.norm.weight"] = shard
    (changeable / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointRefused, match="safetensors"):
        built(changeable)


def test_another_models_tokenizer_is_refused(changeable: Path) -> None:
    """One token more or less, and the scores would be other rows of the head."""
    write_tokenizer(changeable / "tokenizer", plain=PLAIN - 1)
    with pytest.raises(CheckpointRefused, match="not its tokenizer"):
        built(changeable)
    write_tokenizer(changeable / "tokenizer", plain=PLAIN, special=4)
    with pytest.raises(CheckpointRefused, match=r"lacks the special token <\|start_header_id\|>"):
        built(changeable)


@pytest.mark.parametrize("file", ["system_ft_v5.txt", "classifier_ft_v5.txt", "tokenizer/tokenizer.json"])
def test_a_missing_file_is_named(changeable: Path, file: str) -> None:
    """The prompt files and the tokenizer are as necessary as the weights."""
    (changeable / file).unlink()
    with pytest.raises(CheckpointRefused, match=Path(file).name):
        built(changeable)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"max_tokens": 8}, "a whole number from 16"),
        ({"max_tokens": 9000}, "the model takes 8192"),
        ({"engine": "int8"}, "there are: auto, float32, bfloat16"),
        ({"tokeniser": "x"}, "did you mean 'tokenizer'"),
    ],
)
def test_options_that_cannot_be_are_refused_in_a_sentence(changeable: Path, options: dict[str, Any], said: str) -> None:
    """Named with what would be right."""
    with pytest.raises(InvalidOptions, match=said):
        built(changeable, **options)


def test_routellms_layout_needs_a_tokenizer(changeable: Path) -> None:
    """It's a setting of its own, since Llama's is gated."""
    with pytest.raises(InvalidOptions, match="name its directory"):
        build_router("causal_llm", StrategySettings(checkpoint=str(changeable)))
