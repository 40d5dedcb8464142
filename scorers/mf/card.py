"""The checkpoint's card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scorers.offline.card import apgr_table, licences, trained_on


def card(config: Mapping[str, Any], figures: Mapping[str, Any], *, benchmarks: bool) -> str:
    """The README.md of a checkpoint, from its config and figures; `benchmarks`: of RouteLLM's benchmark files."""
    embedder = config["embedder"]
    return f"""# {config["name"]}

Matrix factorization (RouteLLM's `mf`): predicts how surely {config["strong"]} answers a prompt better than {config["weak"]}.
The number is a rank score: an order of prompts. It is not a calibrated probability, and its range is narrow.

{trained_on(config, figures["rows"], benchmarks=benchmarks)}

## Figures

APGR (0.5 is a random order) on prompts held out of the fit:

{apgr_table(figures["apgr"])}

{figures["how"]}
`figures.json` has the numbers, and thresholds by strong share on the validation split.

## How

Text embeddings: {embedder["id"]}, frozen, {embedder["dim"]} dimensions (weights sha256 `{embedder["sha256"]}`).
Cross-entropy against the preference (a tie is 0.5) with an L2 penalty of {figures["l2"]:g}; for one pair of models the problem is convex
and solved exactly, so there is nothing to stop early, then written as RouteLLM's tensors (`P.weight`, `text_proj.0.weight`,
`classifier.0.weight`), seed {config["seed"]}.
Made by `pointsman train mf --data DATA --out DIR --seed {config["seed"]}`.

{licences("Embedding model all-MiniLM-L6-v2: Apache-2.0." if "MiniLM" in embedder["id"] else "", benchmarks=benchmarks)}
"""
