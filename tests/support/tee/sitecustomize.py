"""Python imports this at every start while tests run: what a process writes to standard error is kept, for the session's end to look at.

So it doesn't matter whether a test reads a service's log, pipes it away or throws it away.
"""

from __future__ import annotations

import os
import sys


def _tee(folder: str) -> None:
    kept = open(os.path.join(folder, f"stderr-{os.getpid()}"), "a", buffering=1, errors="backslashreplace")  # noqa: SIM115 - as long as the process
    write = sys.stderr.write

    def both(text: str) -> int:
        kept.write(text)
        return write(text)

    sys.stderr.write = both  # type: ignore[method-assign]


if sys.stderr is not None and os.path.isdir(os.environ.get("POINTSMAN_TESTS_KEEP", "")):
    _tee(os.environ["POINTSMAN_TESTS_KEEP"])
