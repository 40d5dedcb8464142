"""The steps of a row: what each sends, which are left, and what they are about to cost."""

from __future__ import annotations

from collections.abc import Mapping

from pointsman.runtime.backend_settings import Prices
from scorers.offline.label.costs import Tally, priced, tokens_about
from scorers.offline.label.job import ANSWERS, PAYERS, Job, Payer, payer
from scorers.offline.label.journal import Journal
from scorers.offline.label.judge import Chat, judge_chat, shown

PayerPrices = Mapping[Payer, Prices | None]


def chat_for(job: Job, row: int, stage: str, texts: Mapping[str, str]) -> Chat:
    """What a stage sends, given the texts of the tiers that it shows."""
    if stage in ANSWERS:
        return [{"role": "user", "content": job.rows[row]}]
    return judge_chat(stage, job.rows[row], [texts[tier] for tier in shown(stage)])


def left_of(job: Job, journal: Journal, row: int) -> list[str]:
    """The row's stages that haven't been answered."""
    return [stage for stage in job.stages if (row, stage) not in journal.done]


def texts_of(journal: Journal, row: int) -> dict[str, str]:
    """The row's answers that are there, by tier."""
    return {tier: str(journal.done[row, tier].value) for tier in ANSWERS if (row, tier) in journal.done}


def estimate(job: Job, journal: Journal, prices: PayerPrices) -> dict[Payer, Tally]:
    """What is left reads about so many tokens and writes at most so many."""
    tallies: dict[Payer, Tally] = {name: Tally() for name in PAYERS}
    for row in job.rows:
        known = texts_of(journal, row)
        for stage in left_of(job, journal, row):
            chat = chat_for(job, row, stage, {tier: known.get(tier, "") for tier in ANSWERS})
            read = sum(tokens_about(message["content"]) for message in chat)
            if stage not in ANSWERS:
                read += job.max_tokens * sum(tier not in known for tier in shown(stage))
            tallies[payer(stage)].add(priced(read, job.longest(payer(stage)), prices[payer(stage)]))
    return tallies
