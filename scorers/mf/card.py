"""The checkpoint's card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def card(config: Mapping[str, Any], figures: Mapping[str, Any]) -> str:
    """The README.md of a checkpoint, from its config and figures."""
    rows, apgr, embedder = figures["rows"], figures["apgr"], config["embedder"]
    return f"""# {config["name"]}

Matrix factorization (RouteLLM's `mf`): predicts how surely {config["strong"]} answers a prompt better than {config["weak"]}.
The number is a rank score: an order of prompts. It is not a calibrated probability, and its range is narrow.

## Trained on

English exam questions and nothing else: MMLU (multiple choice, {rows["mmlu_domains"]} of its 57 domains) and GSM8K (grade-school
mathematics), with RouteLLM's published record of which of the two models answered each one right. {rows["all"]:,} prompts after RouteLLM's
decontamination lists: {rows["strong_wins"]:,} where only the strong model was right (it wins), {rows["weak_wins"]:,} where only the weak
one was (it loses), {rows["ties"]:,} where both or neither were (a tie). {rows["validation"]:,} of them, chosen by a hash of the prompt,
were kept out of training as the validation split.

## Not trained on

Chat, code, other languages, conversations, long documents; MT Bench, on which nothing may be trained. It promises nothing for such
traffic, nor for other pairs of models. Measure it on your own before you rely on it.

## Figures

APGR (0.5 is a random order) on prompts held out of the fit:

| held out | APGR |
|---|---|
| MMLU prompts, domains seen | {apgr["seen_domains"]:.3f} |
| MMLU domains, never seen | {apgr["unseen_domains"]:.3f} |
| GSM8K prompts | {apgr["gsm8k"]:.3f} |
| the validation split | {apgr["validation"]:.3f} |

{figures["how"]}
`figures.json` has the numbers, and thresholds by strong share on the validation split.

## How

Text embeddings: {embedder["id"]}, frozen, {embedder["dim"]} dimensions (weights sha256 `{embedder["sha256"]}`).
Cross-entropy against the preference (a tie is 0.5) with an L2 penalty of {figures["l2"]:g}; for one pair of models the problem is convex
and solved exactly, then written as RouteLLM's tensors (`P.weight`, `text_proj.0.weight`, `classifier.0.weight`), seed {config["seed"]}.
Made by `pointsman train mf --data DIR --out DIR --seed {config["seed"]}`, DIR being a folder of RouteLLM's benchmark files.

## Licences

Outcomes: lm-sys/RouteLLM, Apache-2.0. MMLU: MIT. GSM8K: MIT. Embedding model all-MiniLM-L6-v2: Apache-2.0. These weights: Apache-2.0,
with the rest of this repository. No text of the data is in this directory.
"""
