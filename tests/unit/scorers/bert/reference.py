"""RouteLLM's way of scoring, written apart: one prompt at a time, float32, softmax in numpy; and what it's tried on."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer

_WORDS = "what is the capital of france prove that solve integral 12 + 7 = ? why does a cell divide explain force code def return x42 é 数"
WORDS = _WORDS.split()


def prompts(count: int, *, seed: int = 0, most: int = 120) -> list[str]:
    """Made-up prompts of 0 to `most` words, none of them from any data."""
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=draw.randint(0, most))) for _ in range(count)]


def win_rate(model: Any, ids: Sequence[int]) -> float:
    """1 - (p1 + p2), by numpy's softmax with the maximum subtracted."""
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long)).logits.numpy()[0]
    powers = np.exp(logits - np.max(logits))
    p = powers / powers.sum()
    return float(1 - (p[1] + p[2]))


def win_rates(model: Any, tokenizer: Tokenizer, texts: Sequence[str], *, max_tokens: int) -> list[float]:
    """One after the other; over-long prompts cut at the right, as RouteLLM cuts them."""
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return [win_rate(model, tokenizer.encode(text).ids) for text in texts]


def rank_correlation(a: Sequence[float], b: Sequence[float]) -> float:
    """Spearman's, no ties assumed."""
    first, second = (np.argsort(np.argsort(each)) - (len(each) - 1) / 2 for each in (a, b))
    return float(first @ second / np.sqrt((first @ first) * (second @ second)))
