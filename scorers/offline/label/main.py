"""`pointsman label`: both tiers of a pair answer a sample of prompts, and a judge backend scores the answers.

    python -m scorers.offline.label --data FILE --out labelled.jsonl [--sample 200] [--pair default] [--judge judge] [--mode single|pair]

Everything is asked of a running service, so keys, timeouts and prices are its own. What it is about to cost is shown before anything
is asked, and what it cost afterwards. A run that was cut off goes on where it was.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console

from pointsman.client import AsyncClient, Client, RouteError
from pointsman.runtime.errors import PointsmanError
from pointsman.runtime.settings import Settings, with_local_llms
from pointsman.runtime.settings_file import SettingsError, load_settings
from scorers.errors import InvalidData
from scorers.offline.access import access_of
from scorers.offline.label.arguments import parse
from scorers.offline.label.asking import Asker
from scorers.offline.label.costs import Budget, totals
from scorers.offline.label.interrupts import interrupts
from scorers.offline.label.job import PAYERS, Job, Payer
from scorers.offline.label.journal import Journal
from scorers.offline.label.results import cost_table, failures, labelled_row, money, projected, summary, write_rows
from scorers.offline.label.running import Labelling, Progress
from scorers.offline.label.steps import PayerPrices, estimate
from scorers.offline.progress import counted
from scorers.offline.prompts import load_prompts

_PILOT: Final = 5


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0, 1 where a row is missing or the service fails, 2 for wrong arguments, data or settings."""
    options = parse(arguments)
    errors = Console(stderr=True)
    try:
        return _label(options, errors)
    except (SettingsError, PointsmanError, RouteError) as error:
        _say(errors, str(error))
        return 1 if isinstance(error, RouteError) else 2
    except OSError as error:
        _say(errors, f"{error.filename or options.out}: can't be written: {error.strerror}")
        return 2
    except (KeyboardInterrupt, asyncio.CancelledError):
        _say(errors, "stopped at once: calls that were under way will be asked again; what was answered before is kept")
        return 1


def _label(options: argparse.Namespace, errors: Console) -> int:
    rows = sampled(load_prompts(options.data)[1], options.sample, options.seed)
    settings = load_settings(options.settings)
    work = options.out.with_name(f"{options.out.name}.work")
    if options.out.exists() and not work.exists():
        raise InvalidData(f"{options.out}: exists already; name another --out, or remove it.")
    job = _job(rows, options)
    prices = _prices(job, settings)
    with Journal(work, job) as journal:
        budget = _budget(options.max_cost, prices, journal)
        if not _agreed(job, journal, prices, options, errors):
            return 2
        labelling = Labelling(job, journal, budget, prices)
        asyncio.run(_run(labelling, job, journal, options, errors))
        return _finished(labelling.progress, job, journal, options, errors)


def sampled(prompts: Sequence[str], sample: int | None, seed: int) -> dict[int, str]:
    """Prompts by row number, from 1, in order. Raises `InvalidData` where there are too few, or one that can't be sent."""
    if sample is not None and sample > len(prompts):
        raise InvalidData(f"--sample: {sample} of {len(prompts)} prompts can't be drawn; name fewer.")
    chosen = range(len(prompts)) if sample is None else sorted(random.Random(seed).sample(range(len(prompts)), sample))
    for index in chosen:
        if any("\ud800" <= char <= "\udfff" for char in prompts[index]):
            raise InvalidData(f"row {index + 1}: prompt has half of a character (a lone surrogate); mend it, or remove the row.")
    return {index + 1: prompts[index] for index in chosen}


def _job(rows: Mapping[int, str], options: argparse.Namespace) -> Job:
    """Raises `InvalidData` for a pair that the service doesn't have."""
    with Client(options.url, timeout=options.timeout, **access_of(options)) as client:
        pairs = {pair.name: pair for pair in client.list_strategies().pairs}
    for option, name in (("--pair", options.pair), ("--judge", options.judge)):
        if name not in pairs:
            raise InvalidData(f"{option}: the service has no pair {name!r}; there are: {', '.join(sorted(pairs))}.")
    pair = pairs[options.pair]
    models: dict[Payer, str] = {"weak": pair.weak, "strong": pair.strong, "judge": pairs[options.judge].strong}
    return Job(
        rows=rows,
        mode=options.mode,
        pair=options.pair,
        judge=options.judge,
        models=models,
        max_tokens=options.max_tokens,
        judge_max_tokens=options.judge_max_tokens,
        temperature=options.temperature,
        judge_temperature=options.judge_temperature,
        length_as=options.length_as,
    )


def _prices(job: Job, settings: Settings) -> PayerPrices:
    """Of the settings' backends, where they are the service's too."""
    settings = with_local_llms(settings)
    found = {}
    for who in PAYERS:
        pair = settings.pairs.get(job.judge if who == "judge" else job.pair)
        backend = settings.backends.get(pair.weak if who == "weak" else pair.strong) if pair else None
        found[who] = backend.prices if backend and backend.model == job.models[who] else None
    return found


def _budget(limit: float | None, prices: PayerPrices, journal: Journal) -> Budget:
    """Raises `InvalidData` where a limit can't be kept."""
    if limit is not None:
        if unpriced := [who for who, each in prices.items() if each is None]:
            raise InvalidData(f"--max-cost needs prices of all three; the settings here have none for {' and '.join(unpriced)}.")
        if len({each.currency for each in prices.values() if each}) > 1:
            raise InvalidData("--max-cost needs prices in one currency (backends.….prices.currency).")
    return Budget(limit, journal.charged)


def _agreed(job: Job, journal: Journal, prices: PayerPrices, options: argparse.Namespace, errors: Console) -> bool:
    """Shows what is about to be spent and asks, where that is needed."""
    expected = estimate(job, journal, prices)
    unpriced = sum(tally.unpriced for tally in expected.values())
    if job.models["judge"] in (job.models["weak"], job.models["strong"]):
        _say(errors, "the judge is one of the pair: judges favour their own answers", style="yellow")
    errors.print(cost_table("What is left: tokens read about, tokens written and cost at most", expected, job.models))
    _say(errors, f"{len(job.rows)} prompts; at most about {money(totals(expected.values()), unpriced)}", style="")
    if options.yes or not any(tally.calls for tally in expected.values()):
        return True
    if not sys.stdin.isatty():
        _say(errors, "nothing was asked: this needs --yes, or a terminal to confirm on")
        return False
    try:
        return errors.input("Go on? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


async def _run(labelling: Labelling, job: Job, journal: Journal, options: argparse.Namespace, errors: Console) -> None:
    progress = labelling.progress
    begun_with = len(progress.complete)

    def interrupted() -> None:
        progress.stop("interrupted")
        _say(errors, "stopping once the calls under way are answered; Ctrl-C again stops at once", style="yellow")

    with interrupts(interrupted), counted("labelling", len(job.rows), errors) as shown:

        def told(done: int) -> None:
            shown(done)
            if done - begun_with == _PILOT and done < len(job.rows):
                _say(errors, f"by the first {done} rows: about {money(projected(job, journal, progress.complete), 0)} for all", style="")

        async with AsyncClient(options.url, timeout=options.timeout, **access_of(options)) as client:
            await labelling.run(Asker(client, job, options.tries), options.concurrency, told)


def _finished(progress: Progress, job: Job, journal: Journal, options: argparse.Namespace, errors: Console) -> int:
    """Writes the rows unless the run was stopped, and says what it came to."""
    rows = [labelled_row(job, journal, row, keep_answers=options.keep_answers) for row in job.rows if row in progress.complete]
    written = bool(rows) and not progress.stopped
    if written:
        write_rows(options.out, rows)
    complete = written and len(rows) == len(job.rows)
    found = summary(job, journal, progress, rows)
    if options.json:
        sys.stdout.write(json.dumps({"file": str(options.out) if written else None, **found}) + "\n")
    else:
        Console().print(cost_table("Spent, earlier runs included", journal.tallies, job.models))
    _report(found, options.out if written else None, failures(progress), errors)
    if complete:
        journal.remove()
    return 0 if complete else 1


def _report(found: Mapping[str, object], file: Path | None, failed: Sequence[str], errors: Console) -> None:
    if found["stopped"]:
        _say(errors, f"stopped: {found['stopped']}")
    for sentence in failed:
        _say(errors, f"missing: {sentence}")
    if file:
        _say(errors, f"written: {file}, {found['labelled']} of {found['rows']} rows", style="")
    if found["labelled"] != found["rows"] or not file:
        _say(errors, "not complete: the same command goes on from the journal, which holds answers until then", style="")


def _say(errors: Console, text: str, style: str = "red") -> None:
    errors.print(text, style=style, markup=False, soft_wrap=True, highlight=False)
