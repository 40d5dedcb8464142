"""The campaign of this session, and its closing table."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fuzz.campaign import Campaign
from tests.fuzz.services import Services, running_services

_CAMPAIGN = pytest.StashKey[Campaign]()


@pytest.fixture(scope="session")
def campaign(pytestconfig: pytest.Config) -> Campaign:
    """Many cases with `--fuzz`, else few."""
    return pytestconfig.stash.setdefault(_CAMPAIGN, Campaign(long=pytestconfig.getoption("--fuzz")))


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """One gateway and one controller for all cases, so that a case finds what another has left behind."""
    with running_services(tmp_path_factory.mktemp("fuzz")) as services:
        yield services


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """After a long run, what it did."""
    campaign = config.stash.get(_CAMPAIGN, None)
    if campaign and campaign.long:
        terminalreporter.section("fuzzing")
        for line in campaign.table():
            terminalreporter.write_line(line)
