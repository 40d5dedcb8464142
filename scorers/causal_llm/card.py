"""The checkpoint's card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def card(config: Mapping[str, Any], figures: Mapping[str, Any]) -> str:
    """The README.md of a checkpoint, from its config and figures."""
    rows, apgr, n, base = figures["rows"], figures["apgr"], figures["n"], config["base"]
    return f"""# {config["name"]}

A causal LM that says, as a token from [[1]] to [[5]], how well {config["weak"]} would answer a prompt beside {config["strong"]}
(RouteLLM's `causal_llm`); the strong win rate is the probability of a score of 3 or less. It is a rank score: an order of prompts.
It is not a calibrated probability.

## Trained on

English exam questions and nothing else: MMLU (multiple choice, {rows["mmlu_domains"]} of its 57 domains) and GSM8K (grade-school
mathematics), with RouteLLM's published record of which of the two models answered each one right. {rows["used"]:,} of the {rows["all"]:,}
prompts that remain after RouteLLM's decontamination lists were used, chosen by a hash of the prompt, GSM8K at twice its share: running
the base model over all of them takes long on a CPU. {rows["training"]:,} for training; {rows["validation"]:,} are of the validation
split, which is never trained on. Of them all, {rows["strong_wins"]:,} where only the strong model was right, {rows["weak_wins"]:,} where
only the weak one was, {rows["ties"]:,} where both or neither were.

## Not trained on

Chat, code, other languages, conversations, long documents; MT Bench, on which nothing may be trained. It promises nothing for such
traffic, nor for other pairs of models. Measure it on your own before you rely on it.

## Figures

APGR (0.5 is a random order) on prompts held out of the fit:

| held out | prompts | APGR |
|---|---|---|
| MMLU prompts, domains seen | {n["seen_domains"]:,} | {apgr["seen_domains"]:.3f} |
| MMLU domains, never seen | {n["unseen_domains"]:,} | {apgr["unseen_domains"]:.3f} |
| GSM8K prompts | {n["gsm8k"]:,} | {apgr["gsm8k"]:.3f} |
| the validation split | {n["validation"]:,} | {apgr["validation"]:.3f} |

{figures["how"]}
`figures.json` has the numbers, and thresholds by strong share on the validation split.

## How

Base: {base["id"]} (GGUF sha256 `{base["sha256"]}`),
its first {config["layers"]} layers: in a pilot the middle layers told more about a prompt's difficulty than the last ones, at half the
cost. All but the last of them are frozen; the last has low-rank differences (rank {config["rank"]}), and the final norm and the five
score tokens' rows are its own. Labels are soft: binomial over the five scores, [[1]] where only the strong model was right, [[5]]
where only the weak one was, around [[3]] for a tie. Training begins with the ridge solution on the mean of a prompt's hidden states
(L2 penalty {figures["penalty"]:g}), written into the last layer, and goes on by gradient descent for as long as a part of the training
rows, set aside, gains by it ({figures["epochs"]} epochs here). At most {config["max_tokens"]} tokens of a prompt are read: head and tail.
Made by `python -m scorers.causal_llm.train --data DIR --out DIR --seed {config["seed"]} --most {figures["most"]}`, DIR being a folder of
RouteLLM's benchmark files.

## Licences

Outcomes: lm-sys/RouteLLM, Apache-2.0. MMLU: MIT. GSM8K: MIT. Base model SmolLM2-135M-Instruct: Apache-2.0. These weights: Apache-2.0,
with the rest of this repository. No text of the data is in this directory.
"""
