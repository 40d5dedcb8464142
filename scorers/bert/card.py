"""The checkpoint's card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def card(config: Mapping[str, Any], figures: Mapping[str, Any]) -> str:
    """The README.md of a checkpoint, from its config and figures."""
    rows, apgr, base, layers = figures["rows"], figures["apgr"], config["base"], config["layers"]
    return f"""# {config["name"]}

A three-class encoder (RouteLLM's `bert`): predicts whether {config["strong"]} or {config["weak"]} answers a prompt
better, or neither. The win rate is 1 - (p1 + p2), the probability of class 0. Read it as a rank score: an order of prompts. Its level
is that of the data below, and its range is narrow.

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

The first {layers - 1} layers of {base["id"]} (weights sha256 `{base["sha256"]}`), unchanged,
and one more that averages their output over the tokens; `model.safetensors` has that layer, the pooler and the classifier, in 16 bits.
The classifier was fitted to the averages: a direction by cross-entropy against the preference (a tie is 0.5) with an L2 penalty of
{figures["l2"]:g}, then its scale and the three classes' intercepts by likelihood. Both problems are convex, so nothing depends on chance.
The encoder's own layers were not fine-tuned. {config["max_tokens"]} tokens of a prompt are read: of a longer one, both ends.
Made by `python -m scorers.bert.train --data DIR --out DIR --seed {config["seed"]}`, DIR being a folder of RouteLLM's benchmark files.

## Licences

Outcomes: lm-sys/RouteLLM, Apache-2.0. MMLU: MIT. GSM8K: MIT. Base model {base["id"]}: Apache-2.0. These weights: Apache-2.0,
with the rest of this repository. No text of the data is in this directory.
"""
