"""The checkpoint's card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scorers.offline.card import KINDS


def card(config: Mapping[str, Any], figures: Mapping[str, Any], *, benchmarks: bool) -> str:
    """The README.md of a checkpoint, from its config and figures; `benchmarks`: of RouteLLM's benchmark files."""
    rows, error, embedder = figures["rows"], figures["storage_error"], config["embedder"]
    return f"""# {config["name"]}

Similarity-weighted ranking (RouteLLM's `sw_ranking`): predicts how surely {config["strong"]} answers a prompt better than
{config["weak"]}, from {rows["table"]:,} recorded battles, of which those on similar prompts count more.
The number is a rank score: an order of prompts. It is not a calibrated probability, and its range is narrow.

{_MADE_FROM_BENCHMARKS if benchmarks else _MADE_FROM_BATTLES}
{rows["table"]:,} battles of {rows["models"]} models are in the table: {rows["model_a_wins"]:,} wins of the model named first,
{rows["model_b_wins"]:,} of the other, {rows["ties"]:,} ties. {rows["validation"]:,} more, chosen by a hash of the prompt, were kept out
of it as the validation split. MT Bench is not in it: nothing may be fitted to that.

## Figures

APGR (0.5 is a random order) on prompts that the scoring table doesn't have:

{_figures_table(figures)}

{figures.get("held_out_how", figures["validation_apgr_how"])}
Embeddings are stored as {figures["storage"]}: the validation split's win rates differ from those of float32 by
{error["mean"]:g} on average and {error["max"]:g} at most. `figures.json` has the numbers, and thresholds by strong share.

## How

Text embeddings: {embedder["id"]}, {embedder["dim"]} dimensions (weights sha256 `{embedder["sha256"]}`).
A battle counts b · b^(s / max s), where s is the cosine of its prompt and the query, and b is {config["weight_base"]:g} here
(RouteLLM: 10; the option `weight_base` sets another). Bradley-Terry with ties is solved to convergence on those weights, over groups
of models of like strength.
Made by `pointsman train sw_ranking --data DATA --out DIR`. Nothing is drawn: the same data gives the same table.

## Licences

{_BENCHMARK_LICENCES if benchmarks else "Those of the battles it was made from."}
No text of the data is in this directory: embeddings, numbers of models and outcomes are.
"""


_MADE_FROM_BENCHMARKS = """## Made from

English exam questions and nothing else: MMLU (multiple choice) and GSM8K (grade-school mathematics), with RouteLLM's published record
of which of the two models answered each one right. Only the strong model right: it wins; only the weak one: it loses; both or neither: a
tie. It promises nothing for chat, code, other languages, long documents, or other pairs of models. Measure it on your own first.
"""
_MADE_FROM_BATTLES = """## Made from

Recorded battles. Prompts of fewer than 16 characters were left out, as RouteLLM does.
"""
_BENCHMARK_LICENCES = (
    "Outcomes: lm-sys/RouteLLM, Apache-2.0. MMLU: MIT. GSM8K: MIT. Embedding model all-MiniLM-L6-v2: Apache-2.0.\n"
    "This table: Apache-2.0, with the rest of this repository."
)


def _figures_table(figures: Mapping[str, Any]) -> str:
    lines = ["| held out | APGR |", "|---|---|"]
    if "held_out" in figures:
        held_out, upstream = figures["held_out"], figures["held_out_by_weight_base"]["10"]
        lines = ["| held out | APGR | with RouteLLM's weight base, 10 |", "|---|---|---|"]
        lines += [f"| {KINDS[kind]} | {value:.3f} | {upstream[kind]:.3f} |" for kind, value in held_out.items()]
    apgr = figures["validation_apgr"]
    blank = " |" if "held_out" in figures else ""
    return "\n".join([*lines, f"| the validation split | {'too few battles of the pair' if apgr is None else f'{apgr:.3f}'} |{blank}"])
