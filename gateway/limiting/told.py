"""What a limited key is told of its limits with every answer, by OpenAI's names of the headers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from gateway.headers import Headers
from gateway.limiting.meter import REQUESTS, TOKENS
from gateway.limiting.window import Window
from pointsman.runtime.keys_file import KeyEntry

PREFIX: Final = "x-ratelimit-"


def rate_limit_headers(entry: KeyEntry, requests: Window | None, tokens: Window | None) -> Headers:
    """The limit, what is left of it, and the time until all of it is there again, of each limit that the key has."""
    return [*_headers(REQUESTS, entry.requests_per_minute, requests), *_headers(TOKENS, entry.tokens_per_minute, tokens)]


def _headers(kind: str, limit: int | None, window: Window | None) -> Iterator[tuple[str, str]]:
    if limit is not None and window is not None:
        yield f"{PREFIX}limit-{kind}", str(limit)
        yield f"{PREFIX}remaining-{kind}", str(window.remaining(limit))
        # OpenAI writes 6m0s or 1s.
        yield f"{PREFIX}reset-{kind}", f"{math.ceil(window.reset_s)}s"
