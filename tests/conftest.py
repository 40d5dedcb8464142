"""What holds for every test."""

from __future__ import annotations

import signal

import pytest

from tests.support import leaks, side_by_side
from tests.support.second_try import SecondTries


def pytest_addoption(parser: pytest.Parser) -> None:
    """`make fuzz` takes many cases, `make test` a few that are always the same."""
    parser.addoption("--fuzz", action="store_true", help="fuzz at length, with other cases each time")


def pytest_configure(config: pytest.Config) -> None:
    """Prompts and keys are looked for in everything that is logged.

    A shell's background job ignores SIGINT and so would every process that a test starts and then interrupts: as on a terminal.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    leaks.register(config)
    if config.getoption("dist", "no") == "loadgroup" or hasattr(config, "workerinput"):
        config.pluginmanager.register(side_by_side, "side by side")
    if config.getoption("reruns", None):
        config.pluginmanager.register(SecondTries(), "second tries")
