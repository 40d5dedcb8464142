"""The checkpoint's card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scorers.offline.card import apgr_table, licences, trained_on


def card(config: Mapping[str, Any], figures: Mapping[str, Any], *, benchmarks: bool) -> str:
    """The README.md of a checkpoint, from its config and figures; `benchmarks`: of RouteLLM's benchmark files."""
    rows, base = figures["rows"], config["base"]
    return f"""# {config["name"]}

A causal LM that says, as a token from [[1]] to [[5]], how well {config["weak"]} would answer a prompt beside {config["strong"]}
(RouteLLM's `causal_llm`); the strong win rate is the probability of a score of 3 or less. It is a rank score: an order of prompts.
It is not a calibrated probability.

{trained_on(config, {**rows, "all": rows["used"]}, benchmarks=benchmarks)}
{_used(rows, figures["most"])}

## Figures

APGR (0.5 is a random order) on prompts held out of the fit:

{apgr_table(figures["apgr"], figures["n"])}

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
Made by `pointsman train causal_llm --data DATA --out DIR --seed {config["seed"]} --most {figures["most"]}`.

{licences("Base model SmolLM2-135M-Instruct: Apache-2.0.", benchmarks=benchmarks)}
"""


def _used(rows: Mapping[str, int], most: int) -> str:
    if rows["used"] == rows["all"]:
        return ""
    return f"""
These are {rows["used"]:,} of the {rows["all"]:,} prompts, chosen by a hash of the prompt (at most {most:,}; GSM8K at twice its share),
since running the base model over all of them takes long on a CPU."""
