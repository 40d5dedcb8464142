"""Runs a property over made-up cases, few of them in `make test` and many in `make fuzz`, and keeps the count."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis.strategies import SearchStrategy

SHORT: Final = 100
"""Cases of a target in `make test`: always the same ones."""


@dataclass
class Row:
    """One line of the closing table."""

    target: str
    cases: int = 0
    errors: int = 0
    seconds: float = 0.0


@dataclass
class Campaign:
    """What has been fuzzed in this session."""

    long: bool
    rows: list[Row] = field(default_factory=list)

    def run(self, target: str, cases: SearchStrategy[Any], check: Callable[[Any], None], *, long: int, short: int = SHORT) -> None:
        """Checks `long` cases, or `short` of them; a failure is shrunk to its smallest case and raised."""
        row = Row(target)
        self.rows.append(row)

        # What the last case needed to be found isn't kept: what was found becomes a regression test instead.
        @settings(
            max_examples=long if self.long else short,
            derandomize=not self.long,
            database=None,
            deadline=None,
            phases=(Phase.explicit, Phase.generate, Phase.target, Phase.shrink),
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        )
        @given(cases)
        def fuzz(case: Any) -> None:
            row.cases += 1
            note(f"the case: {case!r:.2000}")
            check(case)

        began = time.monotonic()
        try:
            fuzz()
        except BaseException as error:
            row.errors = len(error.exceptions) if isinstance(error, BaseExceptionGroup) else 1
            raise
        finally:
            row.seconds = time.monotonic() - began

    def table(self) -> list[str]:
        """A line per target and their sum, for a terminal."""
        total = Row("all targets", sum(r.cases for r in self.rows), sum(r.errors for r in self.rows), sum(r.seconds for r in self.rows))
        lines = [f"{'target':<44}{'cases':>9}{'errors':>8}{'seconds':>9}"]
        return lines + [f"{row.target:<44}{row.cases:>9,}{row.errors:>8}{row.seconds:>9.1f}" for row in (*self.rows, total)]
