"""How much faster bert scores a batch than RouteLLM's one prompt at a time, on the same weights and threads. On purpose, not in CI:

    .venv/bin/python -m benchmarks.bert [--threads 1] [--repeats 7]

Prints a Markdown table. Both ways tokenise, run the model and give 32 win rates; prompts of one length are made of drawn words.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from transformers import AutoTokenizer

from scorers.bert.base import base_folder
from scorers.bert.classifier import load_classifier
from scorers.bert.engine import has_bfloat16
from scorers.bert.router import SHIPPED_CHECKPOINT, BERTRouter
from scorers.router import ScoredPrompt

_BATCH = 32
_UPSTREAM = "RouteLLM's way"
_SENTENCE = "what is the capital of a country and how does one prove that every even number is the sum of two odd ones"


def main() -> None:
    """Measures each way in turn, several times over, and prints the fastest of each: what else runs here only makes them slower."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    ways = {_UPSTREAM: _one_by_one()} | {f"Pointsman, {e}": _batched(e) for e in ("float32", "bfloat16") if _runs(e)}
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"{time.strftime('%Y-%m-%d')}, {_processor()}, {os.cpu_count()} cores, {options.threads} thread(s), load before {load}; ", end="")
    print(f"Python {platform.python_version()}, ", end="")
    print(", ".join(f"{package} {version(package)}" for package in ("torch", "transformers", "tokenizers")), end="\n\n")
    print(f"| tokens | way | ms per prompt, fastest of {options.repeats} | ratio |\n|---|---|---|---|")
    for tokens in (32, 128):
        seconds = _fastest(ways, _prompts(tokens), options.repeats)
        for name, each in seconds.items():
            print(f"| {tokens} | {name} | {each / _BATCH * 1e3:.2f} | {seconds[_UPSTREAM] / each:.1f} |")


def _one_by_one() -> Callable[[list[str]], Any]:
    """As RouteLLM's routers.py has it: float32, one prompt, the model's tokenizer, softmax in numpy."""
    model = load_classifier(SHIPPED_CHECKPOINT).model
    tokenizer = AutoTokenizer.from_pretrained(base_folder(), local_files_only=True)

    def win_rate(prompt: str) -> float:
        inputs = tokenizer(prompt, return_tensors="pt", padding=True, truncation=True)
        with torch.no_grad():
            logits = model(**inputs).logits.numpy()[0]
        powers = np.exp(logits - np.max(logits))
        return float(1 - np.sum((powers / np.sum(powers))[-2:]))

    return lambda prompts: [win_rate(prompt) for prompt in prompts]


def _batched(engine: str) -> Callable[[list[str]], Any]:
    router = BERTRouter(load_classifier(SHIPPED_CHECKPOINT), engine=engine)
    return lambda prompts: router.calculate_strong_win_rates([ScoredPrompt(prompt) for prompt in prompts])


def _runs(engine: str) -> bool:
    return engine != "bfloat16" or has_bfloat16()


def _fastest(ways: dict[str, Callable[[list[str]], Any]], prompts: list[str], repeats: int) -> dict[str, float]:
    """Seconds by way. The ways take turns, so that what else runs here slows all of them alike."""
    seconds = {name: float("inf") for name in ways}
    for turn in range(repeats + 1):
        for name, score in ways.items():
            begun = time.perf_counter()
            score(prompts)
            if turn:  # the first is for warming up
                seconds[name] = min(seconds[name], time.perf_counter() - begun)
    return seconds


def _prompts(tokens: int) -> list[str]:
    """Each word is one token, and two are special."""
    draw = random.Random(tokens)
    return [" ".join(draw.choices(_SENTENCE.split(), k=tokens - 2)) for _ in range(_BATCH)]


def _processor() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    found = torch.cpu.get_capabilities()
    extras = [name for name in ("avx512_f", "avx512_bf16", "amx_bf16") if found.get(name)]
    return f"{names[0] if names else platform.machine()} ({', '.join(extras) or 'no AVX-512'})"


if __name__ == "__main__":
    main()
