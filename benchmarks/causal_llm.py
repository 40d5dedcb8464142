"""causal_llm against RouteLLM's way on the same weights, threads and prompts. On purpose, not in CI:

    .venv/bin/python -m benchmarks.causal_llm [--batch 32] [--rounds 3] [--threads 1]

RouteLLM's way: one prompt at a time, the full text each time, six tokens generated greedily, the scores' distribution read where the
score stands. Prints a Markdown table. The weights are the shipped checkpoint's, float32; besides its own system message one of the
length of RouteLLM's (886 characters) is measured, since the reused prefix is what it saves.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import torch
from transformers import LlamaForCausalLM

from scorers.causal_llm.adapter import adapter_shapes, merge
from scorers.causal_llm.chat import ChatTokenizer, read_tokenizer
from scorers.causal_llm.config import CausalLLMConfig, chat_format
from scorers.causal_llm.llama import load_llama, read_llama_config
from scorers.causal_llm.model import ScoreModel
from scorers.causal_llm.router import SHIPPED_CHECKPOINT
from scorers.causal_llm.smollm2 import base_folder, default_cache
from scorers.checkpoint import load_tensors, read_config

_ROUTELLMS_SYSTEM_CHARACTERS = 886
_NEW_TOKENS = 6
_WORDS = ("how", "many", "of", "the", "following", "numbers", "divide", "a", "sum", "when", "each", "part", "is", "known", "and", "why")


@dataclass(frozen=True, slots=True)
class Subject:
    """The same weights twice: as they serve, and as a `LlamaForCausalLM` that can generate."""

    chat: ChatTokenizer
    served: ScoreModel
    generating: Any


def main() -> None:
    """Measures both ways in turn and prints the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    load = os.getloadavg()[0]
    config = read_config(SHIPPED_CHECKPOINT, CausalLLMConfig)
    own, long = config.system, (config.system + " ") * 20
    print(f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, ", end="")
    print(", ".join(f"{package} {version(package)}" for package in ("torch", "transformers")), end="")
    print(
        f"; {options.threads} thread(s), batch {options.batch}, float32, {options.rounds} rounds, load {load:.1f} at the start", end="\n\n"
    )
    print("| system message | prompt tokens | RouteLLM's way, ms per prompt | here, ms per prompt | ratio | largest logit difference |")
    print("|---|---|---|---|---|---|")
    for name, system in (("this checkpoint's", own), ("as long as RouteLLM's", long[:_ROUTELLMS_SYSTEM_CHARACTERS])):
        subject = _subject(config, system)
        for words in (12, 32, 96):
            _row(subject, f"{name} ({len(subject.chat.prefix)} tokens)", words, options.batch, options.rounds)


def _row(subject: Subject, name: str, words: int, batch: int, rounds: int) -> None:
    draw = random.Random(words)
    turns = [turn.ids for turn in subject.chat.turns([" ".join(draw.choices(_WORDS, k=words)) for _ in range(batch)]) if turn]
    theirs: list[float] = []
    ours: list[float] = []
    first, second = _routellms_way(subject, turns[:1]), subject.served.logits(turns)
    difference = float((first[0] - torch.tensor(second[0])).abs().max())
    for _ in range(rounds):
        theirs.append(_seconds(lambda: _routellms_way(subject, turns)) / batch)
        ours.append(_seconds(lambda: subject.served.logits(turns)) / batch)
    slow, fast = statistics.median(theirs), statistics.median(ours)
    length = statistics.mean(len(turn) for turn in turns)
    print(f"| {name} | {length:.0f} | {slow * 1e3:.0f} | {fast * 1e3:.1f} | {slow / fast:.1f} | {difference:.1e} |", flush=True)


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


@torch.inference_mode()
def _routellms_way(subject: Subject, turns: Sequence[Sequence[int]]) -> list[torch.Tensor]:
    """The five logits of each turn, read at the first generated token: the header is given in both ways."""
    scores = []
    for turn in turns:
        ids = torch.tensor([[*subject.chat.prefix, *turn]])
        made = subject.generating.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=_NEW_TOKENS,
            min_new_tokens=_NEW_TOKENS,
            do_sample=False,
            output_scores=True,
            output_logits=True,
            return_dict_in_generate=True,
            pad_token_id=0,
        )
        scores.append(made.logits[0][0, -5:])
    return scores


def _subject(config: CausalLLMConfig, system: str) -> Subject:
    base, _ = base_folder(default_cache(), config.base.sha256)
    llama_config = read_llama_config(base)
    llama, head = load_llama(base, llama_config, layers=config.layers, dtype=torch.float32)
    rows = merge(llama, load_tensors(SHIPPED_CHECKPOINT, config, adapter_shapes(llama_config, config.rank)))
    chat = ChatTokenizer(read_tokenizer(base), chat_format(system), config.max_tokens)
    generating = LlamaForCausalLM(llama.config).eval()
    generating.model = llama
    generating.lm_head = torch.nn.Linear(head.shape[1], len(head) + 5, bias=False)
    with torch.no_grad():
        generating.lm_head.weight.copy_(torch.cat([head, rows]))
    # The generated score tokens have embeddings too; which ones doesn't matter for the time.
    llama.embed_tokens.weight = torch.nn.Parameter(torch.cat([head, rows]), requires_grad=False)
    return Subject(chat, ScoreModel(llama, rows, chat.prefix), generating)


if __name__ == "__main__":
    main()
