"""A run: asks what is missing of each row, a bounded number of rows at a time, and notes every answer before it goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from pointsman.client import RouteError
from scorers.offline.label.asking import Asker, ends_the_run
from scorers.offline.label.costs import Budget, LimitReached, priced, spent_of, tokens_at_most
from scorers.offline.label.job import ANSWERS, Job, payer
from scorers.offline.label.journal import Entry, Journal
from scorers.offline.label.judge import read_verdict
from scorers.offline.label.steps import PayerPrices, chat_for, left_of, texts_of

NO_VERDICT: Final = "NO_VERDICT"
_HOPELESS: Final = 10  # rows that fail before one is complete: a judge that can't judge costs as much as one that can


class _Stopped(Exception):
    """The run was stopped before this step began."""


@dataclass
class Progress:
    """How far a run has come. `failed` has a row's stage and reason; `stopped` says why the run ended early."""

    complete: set[int] = field(default_factory=set)
    failed: dict[int, tuple[str, str]] = field(default_factory=dict)
    stopped: str = ""

    def stop(self, why: str) -> None:
        """No step of a row begins after this; calls under way are awaited, since they are paid for."""
        self.stopped = self.stopped or why


class Labelling:
    """A run over the rows that aren't complete."""

    def __init__(self, job: Job, journal: Journal, budget: Budget, prices: PayerPrices) -> None:
        self._job = job
        self._journal = journal
        self._budget = budget
        self._prices = prices
        self.progress = Progress({row for row in job.rows if not left_of(job, journal, row)})

    async def run(self, asker: Asker, concurrency: int, told: Callable[[int], None]) -> None:
        """Goes on until all rows have been tried or the run is stopped; `told` hears how many rows are complete."""
        told(len(self.progress.complete))
        rows = iter([row for row in self._job.rows if row not in self.progress.complete])

        async def worker() -> None:
            for row in rows:
                if await self._row(asker, row):
                    self.progress.complete.add(row)
                    told(len(self.progress.complete))

        async with asyncio.TaskGroup() as tasks:
            for _ in range(concurrency):
                tasks.create_task(worker())

    async def _row(self, asker: Asker, row: int) -> bool:
        """Whether it is complete."""
        for stage in left_of(self._job, self._journal, row):
            try:
                problem = await self._stage(asker, row, stage)
            except _Stopped:
                return False
            except LimitReached:
                self.progress.stop("the next call might exceed --max-cost")
                return False
            except OSError as error:
                self.progress.stop(f"{error.filename or 'the journal'} can't be written: {error.strerror}")
                return False
            except RouteError as error:
                if ends_the_run(error):
                    self.progress.stop(str(error))
                    return False
                problem = error.reason
            if problem:
                self._fail(row, stage, problem)
                return False
        return True

    def _fail(self, row: int, stage: str, problem: str) -> None:
        self.progress.failed[row] = (stage, problem)
        if not self.progress.complete and len(self.progress.failed) >= _HOPELESS:
            self.progress.stop(f"all of the first {len(self.progress.failed)} rows failed, the last one with {problem} of {stage}")

    async def _stage(self, asker: Asker, row: int, stage: str) -> str:
        """Asks and notes. What is wrong with the answer, or nothing. Raises `RouteError`, `LimitReached`, `OSError`."""
        job, who = self._job, payer(stage)
        chat = chat_for(job, row, stage, texts_of(self._journal, row))
        at_most = priced(tokens_at_most(chat), job.longest(who), self._prices[who]).cost or 0.0
        async with self._budget.call(at_most) as count:
            if self.progress.stopped:
                raise _Stopped
            said = await asker.ask(who, chat)
            spent = spent_of(said.receipt, self._prices[who])
            count(spent.cost)
            value, problem = self._value(stage, said.text, said.problem)
            self._journal.add(Entry(row=row, stage=stage, value=value, finish_reason=said.finish_reason, spent=spent, at_most=at_most))
        return problem

    def _value(self, stage: str, text: str | None, problem: str) -> tuple[str | float | None, str]:
        if text is None or stage in ANSWERS:
            return text, problem
        verdict = read_verdict(self._job.mode, text)
        return verdict, NO_VERDICT if verdict is None else ""
