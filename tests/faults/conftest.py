"""One stack for most faults, and the table of what each cost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.faults.measure import Row
from tests.support.faults.report import table
from tests.support.faults.stack import Hosts, Stack, running_stack

_ROWS = pytest.StashKey[list[Row]]()


@pytest.fixture(scope="session")
def rows(request: pytest.FixtureRequest) -> list[Row]:
    """Every fault's row is put here and shown at the end."""
    return request.config.stash.setdefault(_ROWS, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The table, also of faults that cost too much."""
    if found := config.stash.get(_ROWS, []):
        terminalreporter.section("faults under 50 concurrent requests")
        for line in table(found):
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Hosts | None:
    """The controllers' own hosts file, where the machine allows a mount namespace."""
    hosts = Hosts(tmp_path_factory.mktemp("hosts"))
    return hosts if hosts.can_be_mounted() else None


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, hosts: Hosts | None) -> Iterator[Stack]:
    """A gateway before two controllers."""
    with running_stack(tmp_path_factory.mktemp("stack"), hosts=hosts) as stack:
        yield stack
