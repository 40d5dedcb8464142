"""Which prompts are used where computing all of them would take too long: the first in an order that a prompt's hash decides."""

from __future__ import annotations

from collections.abc import Sequence

from scorers.offline.benchmarks import Outcome, prompt_fraction

_GSM8K_WEIGHT = 2.0  # it's a twelfth of the data, and a kind of its own


def sampled(outcomes: Sequence[Outcome], most: int) -> list[Outcome]:
    """At most that many, the same ones for the same data whatever its order; more of GSM8K than its share."""

    def place(outcome: Outcome) -> float:
        return prompt_fraction(outcome.prompt, "causal_llm sample") / (_GSM8K_WEIGHT if outcome.benchmark == "gsm8k" else 1)

    return sorted(outcomes, key=place)[:most]
