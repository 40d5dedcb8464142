"""What HTTP can carry as a header (RFC 9110, 5.1 and 5.5). One with a line break would become two."""

from __future__ import annotations

import re
from typing import Final

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


def is_sendable(name: str, value: str) -> bool:
    """Whether both are of the characters that there may be."""
    return _NAME.fullmatch(name) is not None and _VALUE.fullmatch(value) is not None
