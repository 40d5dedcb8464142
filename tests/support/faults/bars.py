"""What no fault may cost."""

from __future__ import annotations

from collections.abc import Collection

from tests.support.faults.load import CALLERS, TO_STRONG
from tests.support.faults.measure import MIB, Row

SLACK_BYTES, SLACK_SHARE = 16 * MIB, 0.1
"""How much more memory than before may be held afterwards, whichever is more: allocators keep some of what was freed."""


def check(row: Row, errors: Collection[str], *, strong_too: bool = False, slack_bytes: int = SLACK_BYTES) -> None:
    """No loss, nothing late, spliced or doubled, no error but these, memory as before, and a last round in which all is well.

    Unless `strong_too`, only requests to weak may have been hit.
    """
    sums, memory = row.sums, row.memory
    assert not sums.losses
    assert (sums.late, sums.spliced, sums.doubled) == (0, 0, 0)
    assert sums.errors.keys() <= set(errors)
    assert strong_too or all(outcome.normal for outcome in row.outcomes if outcome.model == TO_STRONG)
    assert len(row.last) == CALLERS
    assert all(outcome.normal for outcome in row.last)
    grown = {name: memory.after[name] - size for name, size in memory.before.items()}
    assert all(more <= max(slack_bytes, SLACK_SHARE * memory.before[name]) for name, more in grown.items()), grown
