"""A pytest plugin for xdist (`-n 2 --dist loadgroup`): which tests run in which order, and which stay together in one process.

Tests of unlike kinds share the cores: those that wait for services, and those that compute. What starts a Ray of its own is one group, so
that two never start at once; all others are by file, whose fixtures they share.
"""

from __future__ import annotations

from typing import Final

import pytest

_WITH_RAY: Final = ("tests/clients/", "tests/end_to_end/", "tests/on_ray/")
_LONG: Final = ("tests/fuzz/", "tests/wire/")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest groups first, so that no process is left with one at the end."""
    for item in items:
        group = "with Ray" if item.nodeid.startswith(_WITH_RAY) else item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    return 0 if item.nodeid.startswith(_WITH_RAY) else 1 if item.nodeid.startswith(_LONG) else 2
