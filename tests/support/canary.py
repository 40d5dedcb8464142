"""The word that prompts, completions and keys of tests carry wherever they go through a service; no log, metric or receipt may have it.

So it stands in no test's name, and in no name of a model, pair or policy.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Final

CANARY: Final = "canary"
PROMPT: Final = f"hello, {CANARY}"
KEY: Final = f"{CANARY}-key"
FOLDER: Final = "POINTSMAN_TESTS_KEEP"
"""The variable that names the session's folder, here and in every process that a test starts."""


def keep(what: str, text: str) -> None:
    """Has the end of the session look at a text that a service shows to operators, such as its metrics."""
    if folder := os.environ.get(FOLDER):
        with (Path(folder) / f"{what}-{os.getpid()}").open("a") as file:
            file.write(text + "\n")


_carried: Counter[str] = Counter()


def came(*texts: str | bytes) -> None:
    """Counts a request whose texts, as a counterpart of this process got them, have the word."""
    if any(CANARY in (text if isinstance(text, str) else text.decode(errors="replace")) for text in texts):
        _carried["requests"] += 1


def carried() -> int:
    """How many came. Where there are none, that nothing leaked says nothing."""
    return _carried["requests"]
