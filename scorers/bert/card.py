"""The checkpoint's card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scorers.offline.card import apgr_table, licences, trained_on


def card(config: Mapping[str, Any], figures: Mapping[str, Any], *, benchmarks: bool) -> str:
    """The README.md of a checkpoint, from its config and figures; `benchmarks`: of RouteLLM's benchmark files."""
    base, layers = config["base"], config["layers"]
    return f"""# {config["name"]}

A three-class encoder (RouteLLM's `bert`): predicts whether {config["strong"]} or {config["weak"]} answers a prompt
better, or neither. The win rate is 1 - (p1 + p2), the probability of class 0. Read it as a rank score: an order of prompts. Its level
is that of the data below, and its range is narrow.

{trained_on(config, figures["rows"], benchmarks=benchmarks)}

## Figures

APGR (0.5 is a random order) on prompts held out of the fit:

{apgr_table(figures["apgr"])}

{figures["how"]}
`figures.json` has the numbers, and thresholds by strong share on the validation split.

## How

The first {layers - 1} layers of {base["id"]} (weights sha256 `{base["sha256"]}`), unchanged,
and one more that averages their output over the tokens; `model.safetensors` has that layer, the pooler and the classifier, in 16 bits.
The classifier was fitted to the averages: a direction by cross-entropy against the preference (a tie is 0.5) with an L2 penalty of
{figures["l2"]:g}, then its scale and the three classes' intercepts by likelihood. Both problems are convex, so nothing depends on chance.
The encoder's own layers were not fine-tuned. {config["max_tokens"]} tokens of a prompt are read: of a longer one, both ends.
Made by `pointsman train bert --data DATA --out DIR`.

{licences(f"Base model {base['id']}: Apache-2.0.", benchmarks=benchmarks)}
"""
