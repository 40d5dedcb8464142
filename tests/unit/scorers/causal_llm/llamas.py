"""Tiny Llamas with chat tokenizers, in RouteLLM's layout, and a forward pass written apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from torch.nn import functional

from pointsman.runtime.settings import StrategySettings
from scorers.registry import build_router
from scorers.router import Router, ScoredPrompt, WinRate

SYSTEM = "Judge how well the weaker one will answer.\nSay [[1]] to [[5]]."
QUESTION = "[Question]\n{question}\n\nPrediction:\n"
SPECIAL = [
    "<|begin_of_text|>",
    "<|end_of_text|>",
    *(f"<|reserved_special_token_{i}|>" for i in range(4)),
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|reserved_special_token_4|>",
    "<|eot_id|>",
]
PLAIN = 300
VOCABULARY = PLAIN + len(SPECIAL) + 5
Tensors = dict[str, torch.Tensor]


def write_tokenizer(folder: Path, *, plain: int = PLAIN, special: int = len(SPECIAL)) -> Tokenizer:
    """A byte-level BPE of `plain` ordinary tokens and `special` special ones after them, Llama 3's in their places."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("t", "h"), ("?", "Ċ"), ("Ċ", "Ċ"), ("th", "e")]
    words = [*letters, *("".join(pair) for pair in merges)]
    words += [f"filler-{i}" for i in range(plain - len(words))]
    tokenizer = Tokenizer(models.BPE(vocab={word: i for i, word in enumerate(words)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    names = [*SPECIAL, *(f"<|reserved_special_token_{i}|>" for i in range(5, special))][:special]
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in names])
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    return tokenizer


def write_smollm2(folder: Path, *, hidden: int = 32, layers: int = 3, seed: int = 0) -> None:
    """A random Llama in the layout of the converted base model, with SmolLM2's control tokens."""
    tokenizer = write_tokenizer(folder, special=0)
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in ("<|im_start|>", "<|im_end|>")])
    tokenizer.save(str(folder / "tokenizer.json"))
    write_routellm(folder, vocabulary=tokenizer.get_vocab_size(), hidden=hidden, layers=layers, seed=seed)
    tensors = load_file(folder / "model.safetensors")
    del tensors["lm_head.weight"]
    save_file(tensors, folder / "model.safetensors")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "tie_word_embeddings": True}))


def write_routellm(folder: Path, *, vocabulary: int, hidden: int = 32, layers: int = 2, shards: int = 1, seed: int = 0) -> None:
    """A random Llama with RouteLLM's files and keys: untied head, grouped attention, rotary base of Llama 3."""
    config: dict[str, Any] = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": hidden,
        "intermediate_size": 2 * hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 8192,
        "rms_norm_eps": 1e-05,
        "rope_theta": 500000.0,
        "vocab_size": vocabulary,
        "tie_word_embeddings": False,
        "bos_token_id": vocabulary - 261 if vocabulary > 261 else 0,
        "eos_token_id": 1,
        "torch_dtype": "bfloat16",
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "system_ft_v5.txt").write_text(SYSTEM + "\n")
    (folder / "classifier_ft_v5.txt").write_text(QUESTION)
    save_shards(folder, random_tensors(config, seed), shards)


def save_shards(folder: Path, tensors: Tensors, shards: int) -> None:
    """One file, or several with an index."""
    if shards == 1:
        save_file(tensors, folder / "model.safetensors")
        return
    names = sorted(tensors)
    index: dict[str, str] = {}
    for i in range(shards):
        file = f"model-{i + 1:05}-of-{shards:05}.safetensors"
        save_file({name: tensors[name] for name in names[i::shards]}, folder / file)
        index |= dict.fromkeys(names[i::shards], file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))


def random_tensors(config: dict[str, Any], seed: int) -> Tensors:
    """Every tensor of the config, drawn so that attention and scores vary."""
    draw = torch.Generator().manual_seed(seed)
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    values = hidden // config["num_attention_heads"] * config["num_key_value_heads"]

    def drawn(*shape: int) -> torch.Tensor:
        return torch.mul(torch.randn(shape, generator=draw), 1.5 / shape[-1] ** 0.5)

    tensors = {
        "model.embed_tokens.weight": torch.randn(config["vocab_size"], hidden, generator=draw),
        "model.norm.weight": torch.rand(hidden, generator=draw) + 0.5,
        "lm_head.weight": drawn(config["vocab_size"], hidden) * 2,
    }
    for i in range(config["num_hidden_layers"]):
        layer = f"model.layers.{i}."
        tensors |= {
            f"{layer}self_attn.q_proj.weight": drawn(hidden, hidden),
            f"{layer}self_attn.k_proj.weight": drawn(values, hidden),
            f"{layer}self_attn.v_proj.weight": drawn(values, hidden),
            f"{layer}self_attn.o_proj.weight": drawn(hidden, hidden),
            f"{layer}mlp.gate_proj.weight": drawn(inner, hidden),
            f"{layer}mlp.up_proj.weight": drawn(inner, hidden),
            f"{layer}mlp.down_proj.weight": drawn(hidden, inner),
            f"{layer}input_layernorm.weight": torch.rand(hidden, generator=draw) + 0.5,
            f"{layer}post_attention_layernorm.weight": torch.rand(hidden, generator=draw) + 0.5,
        }
    return tensors


def plain_hidden(tensors: Tensors, config: dict[str, Any], ids: list[int], *, layers: int) -> torch.Tensor:
    """(ids, hidden) after the layers and the final norm: Llama's formulas in float32, one sequence, no cache, no batch."""
    eps, heads, groups = config["rms_norm_eps"], config["num_attention_heads"], config["num_key_value_heads"]
    length, size = len(ids), config["hidden_size"] // heads
    angles = torch.outer(torch.arange(length).float(), config["rope_theta"] ** (-torch.arange(0, size, 2).float() / size))
    cos, sin = torch.cat([angles.cos()] * 2, -1), torch.cat([angles.sin()] * 2, -1)

    def normed(x: torch.Tensor, name: str) -> torch.Tensor:
        scale: torch.Tensor = (x.square().mean(-1, keepdim=True) + eps).rsqrt()
        return x * scale * tensors[f"{name}.weight"].float()

    def turned(x: torch.Tensor) -> torch.Tensor:
        return x * cos + torch.cat([-x[..., size // 2 :], x[..., : size // 2]], -1) * sin

    x = tensors["model.embed_tokens.weight"].float()[ids]
    for i in range(layers):
        layer = f"model.layers.{i}"

        def linear(y: torch.Tensor, name: str, layer: str = layer) -> torch.Tensor:
            return y @ tensors[f"{layer}.{name}.weight"].float().T

        y = normed(x, f"{layer}.input_layernorm")
        q = turned(linear(y, "self_attn.q_proj").view(length, heads, size).transpose(0, 1))
        k = turned(linear(y, "self_attn.k_proj").view(length, groups, size).transpose(0, 1)).repeat_interleave(heads // groups, 0)
        v = linear(y, "self_attn.v_proj").view(length, groups, size).transpose(0, 1).repeat_interleave(heads // groups, 0)
        scores = (q @ k.transpose(1, 2) / size**0.5).masked_fill(torch.ones(length, length).triu(1).bool(), -torch.inf)
        x = x + linear((scores.softmax(-1) @ v).transpose(0, 1).reshape(length, -1), "self_attn.o_proj")
        y = normed(x, f"{layer}.post_attention_layernorm")
        x = x + linear(functional.silu(linear(y, "mlp.gate_proj")) * linear(y, "mlp.up_proj"), "mlp.down_proj")
    hidden: torch.Tensor = normed(x, "model.norm")
    return hidden


def routellm_win_rate(folder: Path, tokenizer: Tokenizer, prompt: str) -> float:
    """RouteLLM's way with the header given: its text rendered whole and tokenised whole, one forward pass, softmax over five logits."""
    config = json.loads((folder / "config.json").read_text())
    tensors = load_file(folder / "model.safetensors")
    text = "<|begin_of_text|>"
    for role, content in (("system", SYSTEM), ("user", QUESTION.format(question=prompt))):
        text += f"<|start_header_id|>{role}<|end_header_id|>\n\n{content.strip()}<|eot_id|>"
    ids = tokenizer.encode(text + "<|start_header_id|>assistant<|end_header_id|>\n\n", add_special_tokens=False).ids
    last = plain_hidden(tensors, config, ids, layers=config["num_hidden_layers"])[-1]
    scores = (tensors["lm_head.weight"].float()[-5:] @ last).softmax(0)
    return float(1 - (scores[3] + scores[4]))


def built(folder: Path, **options: Any) -> Router:
    """The router over a folder of `write_routellm` and its `write_tokenizer`, in float32."""
    tokenizer = {"tokenizer": str(folder / "tokenizer")}
    return build_router(
        "causal_llm", StrategySettings(checkpoint=str(folder), options={"engine": "float32"} | tokenizer | options, threads=1)
    )


def rates(router: Router, texts: list[str]) -> list[float]:
    """What it says of each text; there is something to say of each."""
    results = router.calculate_strong_win_rates([ScoredPrompt(text) for text in texts])
    assert all(isinstance(result, WinRate) for result in results)
    return [result.strong_win_rate for result in results if isinstance(result, WinRate)]
