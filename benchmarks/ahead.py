"""Whoever measures isn't to be held up by what is measured: elsewhere the two have machines of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_AUTOGROUP: Final = Path("/proc/self/autogroup")
"""The priority of all processes of this session; what is measured begins sessions of its own."""


def step_ahead() -> bool:
    """The kernel prefers this process, and what it starts in its session, from now on. False where that isn't allowed."""
    try:
        _AUTOGROUP.write_text("-10")
    except OSError:
        return False
    return True
