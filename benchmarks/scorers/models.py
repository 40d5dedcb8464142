"""bert, causal_llm and mf, as they serve and as RouteLLM computes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from transformers import AutoTokenizer, LlamaForCausalLM

from pointsman.runtime.settings import StrategySettings
from scorers.bert.base import base_folder as bert_base
from scorers.bert.classifier import load_classifier
from scorers.bert.router import SHIPPED_CHECKPOINT as BERT
from scorers.causal_llm.adapter import adapter_shapes, merge
from scorers.causal_llm.chat import ChatTokenizer, read_tokenizer
from scorers.causal_llm.config import CausalLLMConfig
from scorers.causal_llm.llama import load_llama, read_llama_config
from scorers.causal_llm.router import SHIPPED_CHECKPOINT as CAUSAL
from scorers.causal_llm.smollm2 import base_folder, default_cache
from scorers.checkpoint import load_tensors, read_config
from scorers.registry import build_router
from scorers.router import ScoredPrompt

Way = Callable[[Sequence[str]], int]
"""Scores the prompts and says how many there were."""


def served(strategy: str, engine: str | None, threads: int, **options: Any) -> Way:
    """The shipped checkpoint's router, given all prompts at once."""
    options |= {} if engine is None else {"engine": engine}
    router = build_router(strategy, StrategySettings(options=options, threads=threads))
    return lambda prompts: len(router.calculate_strong_win_rates([ScoredPrompt(prompt) for prompt in prompts]))


def upstream_bert() -> Way:
    """As RouteLLM's routers.py has it: float32, one prompt, the model's tokenizer, softmax in numpy."""
    model = load_classifier(BERT).model
    tokenizer = AutoTokenizer.from_pretrained(bert_base(), local_files_only=True)

    def win_rate(prompt: str) -> float:
        inputs = tokenizer(prompt, return_tensors="pt", padding=True, truncation=True)
        with torch.no_grad():
            logits = model(**inputs).logits.numpy()[0]
        powers = np.exp(logits - np.max(logits))
        return float(1 - np.sum((powers / np.sum(powers))[-2:]))

    return lambda prompts: len([win_rate(prompt) for prompt in prompts])


def upstream_causal_llm(dtype: torch.dtype) -> Way:
    """One prompt at a time, the full text each time, six tokens generated greedily. RouteLLM's own is float32 on a CPU."""
    config = read_config(CAUSAL, CausalLLMConfig)
    base, _ = base_folder(default_cache(), config.base.sha256)
    llama_config = read_llama_config(base)
    llama, head = load_llama(base, llama_config, layers=config.layers, dtype=torch.float32)
    rows = merge(llama, load_tensors(CAUSAL, config, adapter_shapes(llama_config, config.rank)))
    chat = ChatTokenizer(read_tokenizer(base), config.chat, config.max_tokens)
    model: Any = LlamaForCausalLM(llama.config).eval()
    model.model = llama
    model.lm_head = torch.nn.Linear(head.shape[1], len(head) + 5, bias=False)
    model.lm_head.weight = torch.nn.Parameter(torch.cat([head, rows]), requires_grad=False)
    # The generated score tokens have embeddings too; which ones doesn't matter for the time.
    llama.embed_tokens.weight = torch.nn.Parameter(torch.cat([head, rows]), requires_grad=False)
    model.to(dtype)

    @torch.inference_mode()
    def score(prompt: str) -> None:
        (turn,) = chat.turns([prompt])
        ids = torch.tensor([[*chat.prefix, *(turn.ids if turn else [])]])
        model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=6, min_new_tokens=6, do_sample=False, output_logits=True,
            return_dict_in_generate=True, pad_token_id=0,
        )  # fmt: skip

    return lambda prompts: len([score(prompt) for prompt in prompts])
