"""`pointsman compare`: what each strategy thinks of a prompt, or of many."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

from rich.text import Text

from pointsman.cli.exits import FAILED, CommandFailed
from pointsman.cli.output import TIER_STYLES, new_console, new_table
from pointsman.cli.progress import counted
from pointsman.cli.reporting import reported
from pointsman.client import Client, RouteError, Unreachable
from pointsman.client.patience import TRIES, patiently
from pointsman.runtime.decision_headers import reason_name
from pointsman.v1 import route_service_pb2, routing_pb2

_AT_ONCE: Final = 8
_SHOWN_CHARS: Final = 48
Thresholds = Mapping[tuple[str, str], Mapping[float, float]]
"""By strategy and checkpoint: share of calls to strong to the threshold that gives it."""


@dataclass(frozen=True, slots=True)
class Bar:
    """What win rates are compared with: one threshold, or each strategy's own for a share of calls to strong."""

    threshold: float
    strong_share: float | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """One strategy's opinion of one prompt, and what would come of it."""

    opinion: routing_pb2.Opinion
    threshold: float | None
    """None where it isn't calibrated for the share."""
    strong_from_share: float | None
    """The least of the calibrated shares at which the prompt goes to strong; None where there is none."""

    @property
    def tier(self) -> str:
        """Empty where it isn't known."""
        if self.threshold is None or not self.opinion.HasField("strong_win_rate"):
            return ""
        return "strong" if self.opinion.strong_win_rate >= self.threshold else "weak"

    def as_json(self) -> dict[str, Any]:
        """The opinion with the contract's own names, and what is made of it."""
        opinion = self.opinion
        rate = opinion.strong_win_rate if opinion.HasField("strong_win_rate") else None
        failure = reason_name(opinion.failure) if opinion.failure else None
        facts = {"checkpoint": opinion.checkpoint, "failure": failure, "truncated": opinion.truncated, "cached": opinion.cached}
        made = {"threshold": self.threshold, "tier": self.tier or None, "strong_from_share": self.strong_from_share}
        return {"strategy": opinion.strategy, "strong_win_rate": rate, **facts, **made}


Answer = Sequence[Seen] | RouteError


def compare_prompts(client: Client, prompts: Sequence[str], strategies: Sequence[str], bar: Bar, *, many: bool, json: bool) -> None:
    """Asks for each prompt and shows what comes; where they are many, a refusal is waited out.

    Raises `CommandFailed` where nobody answers, and in the end where a prompt failed.
    """
    shown: list[Answer] = []
    tries = TRIES if many else 1
    with reported(), counted("comparing", len(prompts)) as done:
        thresholds = _calibrated(patiently(client.list_strategies, tries))
        with closing(_asked(client, prompts, strategies, tries, done)) as answers:
            for prompt, answer in zip(prompts, answers, strict=True):
                seen = answer if isinstance(answer, RouteError) else [_seen(opinion, bar, thresholds) for opinion in answer.opinions]
                if isinstance(seen, RouteError) and not many:
                    raise seen
                shown.append(seen)
                if json:
                    _write(prompt, seen)
    if not json and many:
        _show_many(prompts, shown, bar)
    elif not json and not isinstance(shown[0], RouteError):
        _show_one(shown[0])
    failed = [each for each in shown if isinstance(each, RouteError)]
    if failed:
        raise CommandFailed(f"{len(failed)} of {len(prompts)} prompts failed, the first: {failed[0]}", FAILED)


def _asked(
    client: Client, prompts: Sequence[str], strategies: Sequence[str], tries: int, done: Callable[[], None]
) -> Generator[route_service_pb2.CompareStrategiesResponse | RouteError]:
    """The answers in the prompts' order, several asked for at once. Raises `Unreachable`. Nobody waits any longer once it is closed."""
    closed = threading.Event()

    def ask(prompt: str) -> route_service_pb2.CompareStrategiesResponse | RouteError:
        try:
            return patiently(lambda: client.compare_strategies(prompt, strategies=strategies), tries, closed)
        except Unreachable:
            raise
        except RouteError as error:
            return error
        finally:
            done()

    pool = ThreadPoolExecutor(_AT_ONCE)
    try:
        yield from pool.map(ask, prompts)
    finally:
        closed.set()
        pool.shutdown(cancel_futures=True)


def _calibrated(listed: route_service_pb2.ListStrategiesResponse) -> Thresholds:
    """The first record of each checkpoint, which is the one that counts."""
    found: dict[tuple[str, str], dict[float, float]] = {}
    for calibration in (each for strategy in listed.strategies for each in strategy.calibrations):
        shares = {each.strong_share: each.threshold for each in calibration.thresholds if each.WhichOneof("target") == "strong_share"}
        if shares:
            found.setdefault((calibration.strategy, calibration.checkpoint), shares)
    return found


def _seen(opinion: routing_pb2.Opinion, bar: Bar, thresholds: Thresholds) -> Seen:
    shares = thresholds.get((opinion.strategy, opinion.checkpoint), {})
    threshold = bar.threshold if bar.strong_share is None else shares.get(bar.strong_share)
    above = [share for share, value in shares.items() if opinion.HasField("strong_win_rate") and opinion.strong_win_rate >= value]
    return Seen(opinion, threshold, min(above, default=None))


def _write(prompt: str, seen: Answer) -> None:
    what = (
        {"error": seen.message, "reason": seen.reason} if isinstance(seen, RouteError) else {"opinions": [each.as_json() for each in seen]}
    )
    sys.stdout.write(json.dumps({"prompt": prompt, **what}, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _show_one(seen: Sequence[Seen]) -> None:
    table = new_table("strategy", "strong win rate", "threshold", "tier", "strong from", "checkpoint", "")
    for each in seen:
        threshold = "not calibrated" if each.threshold is None else f"{each.threshold:g}"
        share = "" if each.strong_from_share is None else f"{100 * each.strong_from_share:g} %"
        notes = ", ".join(name for name in ("truncated", "cached") if getattr(each.opinion, name))
        table.add_row(Text(each.opinion.strategy), _rate(each), threshold, _tier(each), share, Text(each.opinion.checkpoint), notes)
    new_console().print(table)


def _show_many(prompts: Sequence[str], shown: Sequence[Answer], bar: Bar) -> None:
    names = list(dict.fromkeys(each.opinion.strategy for seen in shown if not isinstance(seen, RouteError) for each in seen))
    table = new_table("prompt", *names)
    strong = dict.fromkeys(names, 0)
    for prompt, seen in zip(prompts, shown, strict=True):
        start = " ".join(prompt.split())
        cells = [Text(f"{start[:_SHOWN_CHARS]}…" if len(start) > _SHOWN_CHARS else start)]
        if isinstance(seen, RouteError):
            table.add_row(*cells, Text(seen.reason, "yellow"))
            continue
        of = {each.opinion.strategy: each for each in seen}
        for name in names:
            strong[name] += of[name].tier == "strong" if name in of else 0
            cells.append(Text.assemble(_rate(of[name]), " ", _tier(of[name])) if name in of else Text(""))
        table.add_row(*cells)
    console = new_console()
    console.print(table)
    at = f"threshold {bar.threshold:g}" if bar.strong_share is None else f"the thresholds for a share of {100 * bar.strong_share:g} %"
    said = ", ".join(f"{name} {count} of {len(prompts)}" for name, count in strong.items())
    console.print(Text(f"to strong at {at}: {said}"), soft_wrap=True)


def _rate(seen: Seen) -> Text:
    opinion = seen.opinion
    return Text(f"{opinion.strong_win_rate:.4f}") if opinion.HasField("strong_win_rate") else Text(reason_name(opinion.failure), "yellow")


def _tier(seen: Seen) -> Text:
    return Text(seen.tier, TIER_STYLES.get(seen.tier, ""))
