"""Costs: estimated, counted, limited."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pointsman.runtime.backend_settings import Prices
from pointsman.v1 import routing_pb2
from scorers.offline.label.costs import Budget, LimitReached, Tally, priced, spent_of, tokens_at_most, totals
from scorers.offline.label.journal import Journal
from scorers.offline.label.results import money, projected
from scorers.offline.label.steps import PayerPrices, estimate
from tests.unit.scorers.offline.label.jobs import entry, job

PRICES = Prices(prompt_per_million=1, completion_per_million=10)
ALL: PayerPrices = {"weak": PRICES, "strong": PRICES, "judge": None}
USAGE = routing_pb2.Usage(prompt_tokens=100, completion_tokens=20)


def test_a_receipt_is_counted_as_the_service_says() -> None:
    """By the prices here only where it has tokens and no cost."""
    cost = routing_pb2.Cost(amount=0.25, currency="EUR")
    assert spent_of(routing_pb2.Receipt(usage=USAGE, cost=cost), PRICES).cost == 0.25
    assert spent_of(routing_pb2.Receipt(usage=USAGE), PRICES).cost == pytest.approx(300e-6)
    assert spent_of(routing_pb2.Receipt(usage=USAGE), None).cost is None
    assert spent_of(routing_pb2.Receipt(), PRICES).cost is None


def test_calls_add_up_by_currency() -> None:
    """And what nobody can price is counted."""
    tallies = [Tally(), Tally()]
    tallies[0].add(priced(1_000_000, 0, PRICES))
    tallies[1].add(priced(0, 1_000_000, PRICES))
    tallies[1].add(priced(5, 5, PRICES.model_copy(update={"currency": "EUR", "prompt_per_million": 1e6})))
    tallies[1].add(priced(5, 5, None))
    assert totals(tallies) == {"USD": 11, "EUR": pytest.approx(5.00005)}
    assert money({"USD": 11}, 3) == "11.0000 USD + 3 calls without a price"
    assert money({}, 0) == "-"


def test_the_estimate_is_of_what_is_left(tmp_path: Path) -> None:
    """A row with one answer needs the other and two verdicts; a complete one nothing."""
    made = job()
    with Journal(tmp_path / "work", made) as journal:
        everything = estimate(made, journal, ALL)
        for each in (entry(3, "weak", "w" * 40), *(entry(8, stage, "x") for stage in made.stages)):
            journal.add(each)
        left = estimate(made, journal, ALL)
    assert [(tally.calls, tally.completion_tokens) for tally in everything.values()] == [(2, 200), (2, 200), (4, 200)]
    assert [(tally.calls, tally.completion_tokens) for tally in left.values()] == [(0, 0), (1, 100), (2, 100)]
    assert left["strong"].prompt_tokens == 2
    assert left["strong"].money["USD"] == pytest.approx(1002e-6)
    # The two verdicts' instructions and prompts are alike: ten tokens of the answer that is there, a hundred of the other.
    assert left["judge"].prompt_tokens == everything["judge"].prompt_tokens / 2 - 90
    assert (left["judge"].unpriced, left["judge"].money) == (2, {})


def test_the_first_rows_say_what_all_will_cost(tmp_path: Path) -> None:
    """In proportion; calls of other rows don't count."""
    made = job()
    with Journal(tmp_path / "work", made) as journal:
        for each in (*(entry(3, stage, "x") for stage in made.stages), entry(8, "weak", "x")):
            journal.add(each)
        assert projected(made, journal, {3}) == {"USD": 2 * 4 * 0.5}


def test_no_text_has_more_tokens_than_the_bound() -> None:
    """A byte each, and the template's."""
    assert tokens_at_most([{"role": "user", "content": "日本"}]) == 6 + 64


async def test_a_call_waits_for_those_under_way_before_it_is_refused() -> None:
    """At its dearest it wouldn't fit beside the first; once that one came cheaper it does."""
    budget = Budget(10, 0)
    begun, release = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        async with budget.call(8) as count:
            begun.set()
            await release.wait()
            count(3)

    async def second() -> None:
        async with budget.call(6) as count:
            count(None)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(first())
        await begun.wait()
        waits = tasks.create_task(second())
        await asyncio.sleep(0)
        assert not waits.done()
        release.set()
    with pytest.raises(LimitReached):  # 3 and 6, as nobody knows, are spent
        async with budget.call(1.5):
            pass
    async with budget.call(1):
        pass


async def test_a_failed_call_gives_back_what_it_reserved() -> None:
    """And one without a limit is never refused."""
    budget = Budget(1, 0)
    for _ in range(3):
        with pytest.raises(ValueError):
            async with budget.call(1):
                raise ValueError
    async with budget.call(1), Budget(None, 5).call(1e9):
        pass
