"""What HTTP can carry as a header (RFC 9110, 5.1 and 5.5). One with a line break would become two."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_LONGEST_NAME: Final = 256
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


def is_sendable(name: str, value: str) -> bool:
    """Whether both are of the characters that there may be."""
    # The first two need no pattern, and are nearly always enough.
    return _is_name(name) and ((value.isascii() and value.isprintable()) or _VALUE.fullmatch(value) is not None)


@lru_cache(1024)
def _is_name(name: str) -> bool:
    return len(name) <= _LONGEST_NAME and _NAME.fullmatch(name) is not None
