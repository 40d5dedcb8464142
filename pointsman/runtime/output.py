"""Standard output and error that can't be written any more: a full disk, a closed terminal, a pipe that nobody reads."""

from __future__ import annotations

import os
import sys
from contextlib import suppress


def discard_unwritable() -> None:
    """What is still buffered and can't be written is dropped: Python would try again at exit, and fail with exit code 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with suppress(OSError, ValueError):
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, stream.fileno())
                os.close(null)
