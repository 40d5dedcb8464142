"""Every block of README and docs/ says what it is, and is run, or says why not."""

from __future__ import annotations

import pytest

from tests.documents.blocks import ROOT, Block, blocks
from tests.documents.checks import CHECKS

_ALL = list(blocks())
_RUN = {"sh", "python"}


@pytest.mark.parametrize("block", _ALL, ids=lambda block: block.name)
def test_a_block_has_a_language_and_somebody_who_runs_it(block: Block) -> None:
    """What needs no service is checked here."""
    assert block.language in _RUN | CHECKS.keys(), "say which: text for a drawing"
    if block.run_by:
        runner = ROOT / block.run_by
        names = {block.file.removeprefix("docs/"), block.file.removeprefix("docs/").removesuffix(".md")}
        assert any(name in runner.read_text() for name in names), f"{block.run_by} doesn't read {block.file}"
    elif not block.not_run and block.language in CHECKS:
        CHECKS[block.language](block)


def test_most_of_what_people_type_is_typed() -> None:
    """Reasons why not are the exception."""
    typed = [block for block in _ALL if block.language in _RUN]
    assert sum(not block.not_run for block in typed) > len(typed) / 2
