"""A pytest plugin around pytest-rerunfailures: a second try is shown as what it is, the few are bounded, and unit tests get none.

Tests that start processes and wait for sockets share two cores with everything they start, and one of thousands may meet a pause of the
machine's. With `--reruns 1` (`make pytest`) it is tried again; what went wrong first is printed whole, to be mended.
"""

from __future__ import annotations

from typing import Final

import pytest
from _pytest.terminal import TerminalReporter

MOST: Final = 3
"""More tests than that need a second try only where something is wrong."""


class SecondTries:
    """Of one session."""

    def __init__(self) -> None:
        self._first: list[pytest.TestReport] = []

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """A unit test has nothing but its code to fail by."""
        for item in items:
            if item.nodeid.startswith("tests/unit/"):
                item.add_marker(pytest.mark.flaky(reruns=0))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keeps what failed and is tried again."""
        if report.outcome == "rerun":  # type: ignore[comparison-overlap]
            self._first.append(report)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Too many fail the run."""
        if len(self._first) > MOST:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        """Why each first try failed."""
        for report in self._first:
            terminalreporter.write_sep("=", f"first try of {report.nodeid}")
            report.toterminal(terminalreporter._tw)
        if len(self._first) > MOST:
            terminalreporter.write_line(f"second tries: {len(self._first)} tests needed one, and {MOST} may", red=True)
