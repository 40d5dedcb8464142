"""What every checkpoint's card says in the same words: what it was trained on and what not, its figures, and licences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

KINDS: Final = {
    "seen_domains": "MMLU prompts, domains seen",
    "unseen_domains": "MMLU domains, never seen",
    "gsm8k": "GSM8K prompts",
    "prompts": "prompts, by folds",
    "validation": "the validation split",
}
"""What each held-out figure is of."""


def trained_on(config: Mapping[str, Any], rows: Mapping[str, int], *, benchmarks: bool) -> str:
    """The sections on the data."""
    won = (
        f"{rows['strong_wins']:,} where only the strong model was right (it wins), {rows['weak_wins']:,} where only the weak\n"
        f"one was (it loses), {rows['ties']:,} where both or neither were (a tie)"
        if benchmarks
        else f"{rows['strong_wins']:,} won by {config['strong']}, {rows['weak_wins']:,} by\n{config['weak']}, {rows['ties']:,} ties"
    )
    kept_out = f"{rows['validation']:,} of them, chosen by a hash of the prompt,\nwere kept out of training as the validation split."
    if benchmarks:
        return f"""## Trained on

English exam questions and nothing else: MMLU (multiple choice, {rows["mmlu_domains"]} of its 57 domains) and GSM8K (grade-school
mathematics), with RouteLLM's published record of which of the two models answered each one right. {rows["all"]:,} prompts after RouteLLM's
decontamination lists: {won}. {kept_out}

## Not trained on

Chat, code, other languages, conversations, long documents; MT Bench, on which nothing may be trained. It promises nothing for such
traffic, nor for other pairs of models. Measure it on your own before you rely on it."""
    return f"""## Trained on

A file of preferences (sha256 of its prompts and outcomes `{config["data_sha256"]}`): {rows["all"]:,} battles between the two models,
{won}. {kept_out}
{rows["other_pairs"]:,} battles of other models in the file were not used.

## Not trained on

Anything else. It promises nothing for traffic that the file doesn't resemble, nor for other pairs of models. Measure it on your own
before you rely on it."""


def apgr_table(apgr: Mapping[str, float], n: Mapping[str, int] | None = None) -> str:
    """The table of held-out figures, with how many prompts each is of where `n` says."""
    if n is None:
        return "\n".join(["| held out | APGR |", "|---|---|", *(f"| {KINDS[kind]} | {value:.3f} |" for kind, value in apgr.items())])
    rows = (f"| {KINDS[kind]} | {n[kind]:,} | {value:.3f} |" for kind, value in apgr.items())
    return "\n".join(["| held out | prompts | APGR |", "|---|---|---|", *rows])


def licences(models: str, *, benchmarks: bool) -> str:
    """The section on licences; `models` says whose weights it stands on."""
    data = "Outcomes: lm-sys/RouteLLM, Apache-2.0. MMLU: MIT. GSM8K: MIT." if benchmarks else "Data: its owner's to say."
    own = "These weights: Apache-2.0,\nwith the rest of this repository." if benchmarks else ""
    return f"""## Licences

{" ".join(part for part in (data, models, own) if part)} No text of the data is in this directory."""
