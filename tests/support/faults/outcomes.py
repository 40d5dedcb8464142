"""What came of each request, answers that give themselves away when they are spliced or doubled, and the sums of a fault."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

GRACE_S = 1.0
"""How far past its deadline an answer may come: the load's own process shares two cores with all it loads."""
_PIECE = re.compile(r"\[(\w+) (\d+)/(\d+) ([^\[\]]*)\]")


def pieces_of(answer: str, asked: str, count: int, pad: int = 0) -> list[str]:
    """An answer's text in pieces: each has the answer's own id, its place and what was asked."""
    return [f"[{answer} {number}/{count} {asked}]" + "." * pad for number in range(count)]


@dataclass(frozen=True, slots=True)
class Text:
    """A received answer's text: whose it is, and whether it is all of one answer, or at least its beginning."""

    answer: str
    sound: bool
    whole: bool


def read(text: str, asked: str) -> Text:
    """Sound is a text that has nothing but the first pieces of one answer to what was asked, each once and in order."""
    found = _PIECE.findall(text)
    ids = {answer for answer, *_ in found}
    counts = {count for _, _, count, _ in found}
    in_order = [int(number) for _, number, _, _ in found] == list(range(len(found)))
    to_it = all(said == asked for *_, said in found)
    nothing_else = not _PIECE.sub("", text).strip(".")
    sound = len(ids) <= 1 and len(counts) <= 1 and in_order and to_it and nothing_else
    return Text(next(iter(ids), ""), sound, sound and {str(len(found))} == counts)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One request: `result` is answer, error (typed, its reason in `what`) or loss (neither, what happened in `what`)."""

    kind: str
    model: str
    begun: float
    took: float
    result: str
    what: str = ""
    """Of an answer: the decision's reason."""
    answer: str = ""
    """The backend's id of it."""
    spliced: bool = False
    late: bool = False
    final: bool = False
    """Of the last round, when all is to be well again."""

    @property
    def ended(self) -> float:
        """On the monotonic clock, as `begun`."""
        return self.begun + self.took

    @property
    def normal(self) -> bool:
        """Answered as decided by a scorer, by the backend that was decided on."""
        return self.result == "answer" and self.what == "comparison" and not self.spliced


@dataclass
class Sums:
    """Of all requests that ended while or after something failed."""

    answers: Counter[str] = field(default_factory=Counter)
    """By the decision's reason."""
    errors: Counter[str] = field(default_factory=Counter)
    losses: Counter[str] = field(default_factory=Counter)
    late: int = 0
    spliced: int = 0
    doubled: int = 0

    @classmethod
    def of(cls, outcomes: Iterable[Outcome]) -> Sums:
        """Doubled are answers that more than one request was given."""
        sums, seen = cls(), Counter[str]()
        by_result = {"answer": sums.answers, "error": sums.errors, "loss": sums.losses}
        for outcome in outcomes:
            by_result[outcome.result][outcome.what] += 1
            sums.late += outcome.late
            sums.spliced += outcome.spliced
            if outcome.answer:
                seen[outcome.answer] += 1
        sums.doubled = sum(count - 1 for count in seen.values())
        return sums


def restored_after(outcomes: Sequence[Outcome], since: float) -> float:
    """Seconds from `since` to the end of the last request that didn't end as normal, 0 where none after it did."""
    return max((outcome.ended - since for outcome in outcomes if not outcome.normal), default=0.0) if outcomes else 0.0


def is_well(outcomes: Iterable[Outcome], now: float, window_s: float, at_least: int) -> bool:
    """Whether the requests that ended in the last `window_s` all were normal, `at_least` so many."""
    latest = [outcome for outcome in outcomes if outcome.ended >= now - window_s]
    return len(latest) >= at_least and all(outcome.normal for outcome in latest)
