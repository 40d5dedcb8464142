"""Settings of services that tests press."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

UNREFUSED: Final[Mapping[str, Any]] = {"max_lag_s": None}
"""Of a gateway or a controller: a busy machine's lag is no subject of most tests, and some share the event loop with what they test."""
