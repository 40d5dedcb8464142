"""What /openapi.json says of keys and their limits."""

from __future__ import annotations

from typing import Any, Final

from gateway.identity.guard import KEY_HEADERS
from gateway.limiting.meter import REQUESTS, TOKENS

_COUNT: Final[dict[str, Any]] = {"type": "integer", "minimum": 0}
_AZURE: Final = "The same, as Azure's clients send it."
KEYS: Final[dict[str, dict[str, Any]]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key of the gateway's keys file, where there is one."},
    **{name: {"type": "apiKey", "in": "header", "name": name, "description": _AZURE} for name in KEY_HEADERS},
}
"""Its security schemes, of which one is enough."""

RATE_LIMIT_HEADERS: Final[dict[str, tuple[dict[str, Any], str]]] = {
    name: said
    for kind in (REQUESTS, TOKENS)
    for name, said in {
        f"x-ratelimit-limit-{kind}": (_COUNT, f"The key's {kind} per minute, where they are limited."),
        f"x-ratelimit-remaining-{kind}": (_COUNT, f"What is left of its {kind}."),
        f"x-ratelimit-reset-{kind}": ({"type": "string"}, f"Until all of its {kind} are left again, such as `42s`."),
    }.items()
}
