"""What /openapi.json says of headers, of requests and of answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from gateway.deadline import LONGEST_S, TIMEOUT_HEADER
from gateway.headers import RECEIPT
from gateway.identity.guard import CHALLENGE
from gateway.openapi_identity import RATE_LIMIT_HEADERS
from pointsman.runtime.decision_headers import PREFIX, REQUEST_ID
from pointsman.runtime.tracing import CONTEXT

Node = dict[str, Any]
_TEXT: Final[Node] = {"type": "string"}
_FRACTION: Final[Node] = {"type": "number", "minimum": 0, "maximum": 1}
_TIER: Final[Node] = {"enum": ["strong", "weak"]}
_ID: Final[Node] = {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,128}$"}
# In full what docs/reference-grpc.md has.
_RECEIPT: Final[Node] = {**_TEXT, "x-protobuf-type": "pointsman.v1.Receipt"}
_REASON: Final[Node] = {**_TEXT, "x-protobuf-type": "pointsman.v1.Reason"}

_OF_REQUESTS: Final[dict[str, tuple[Node, str]]] = {
    f"{PREFIX}pair": (_TEXT, "The pair of backends to route between; `default` without it."),
    f"{PREFIX}tier": (_TIER, "Pins the request to a tier, unscored."),
    f"{PREFIX}strong-share": (_FRACTION, "The share of calls for strong, in the place of the model string's threshold."),
    f"{PREFIX}max-quality-loss": (_FRACTION, "The quality that may be lost, in the place of the model string's threshold."),
    f"{PREFIX}session": (
        {"type": "string", "maxLength": 256},
        "One session draws one value of `random`; the body's `user` without it.",
    ),
    RECEIPT: ({"enum": ["true", "false"]}, "Asks for the receipt: a header of a whole answer, the last comment of a stream."),
    REQUEST_ID: (_ID, "The request's id, repeated in the answer and the logs; `x-request-id` is taken too."),
    TIMEOUT_HEADER: ({"type": "number", "exclusiveMinimum": 0, "maximum": LONGEST_S}, "The deadline, in seconds from now."),
    CONTEXT[0]: (_TEXT, "W3C trace context, passed on."),
}
_OF_DECISIONS: Final[dict[str, tuple[Node, str]]] = {
    f"{PREFIX}tier": (_TIER, "The tier that answers."),
    f"{PREFIX}model": (_TEXT, "The backend's own name of the model that answers."),
    f"{PREFIX}reason": (_REASON, "Why this tier, in lower case: `comparison`, `nothing_to_score`, `backend_named`, …"),
    f"{PREFIX}strategy": (_TEXT, "The strategy that was asked for."),
    f"{PREFIX}strong-win-rate": (_FRACTION, "What the strategy predicted."),
    f"{PREFIX}threshold": (_FRACTION, "Strong where the strong win rate is at least this."),
}


def headers() -> Node:
    """Those of answers, by their names."""
    others = {
        RECEIPT: (_RECEIPT, "The receipt as JSON, where it was asked for and the answer is whole."),
        REQUEST_ID: (_ID, "The request's id."),
        "retry-after": ({"type": "integer", "minimum": 1}, "Seconds to come back after."),
        CHALLENGE[0]: (_TEXT, "How to send a key, with a 401."),
    }
    said = {**_OF_DECISIONS, **RATE_LIMIT_HEADERS, **others}
    return {name: {"schema": schema, "description": text} for name, (schema, text) in said.items()}


def parameters() -> Node:
    """The headers of requests, by their names."""
    said = _OF_REQUESTS.items()
    return {name: {"name": name, "in": "header", "schema": schema, "description": text} for name, (schema, text) in said}


def of_relayed() -> list[Node]:
    """The headers of a request that a backend answers."""
    return _parameters(_OF_REQUESTS)


def of_decisions() -> list[Node]:
    """Those of one that is only decided on."""
    return _parameters(name for name in _OF_REQUESTS if name != RECEIPT)


def of_questions() -> list[Node]:
    """Those of one that nothing is decided on."""
    return _parameters((REQUEST_ID, TIMEOUT_HEADER, CONTEXT[0]))


def _parameters(names: Iterable[str]) -> list[Node]:
    return [{"$ref": f"#/components/parameters/{name}"} for name in names]


def _refs(*names: str) -> Node:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


@dataclass(frozen=True)
class Sent:
    """The headers that a path's answers and its errors may have."""

    answers: Node
    errors: Node


def _sent(*decided: str, receipt: bool = False, limited: bool = True, asks_for_key: bool = True) -> Sent:
    """An error may come after the decision."""
    always = (*(f"{PREFIX}{name}" for name in decided), *(RATE_LIMIT_HEADERS if limited else ()), REQUEST_ID)
    refused = (*(["retry-after"] if limited else []), *([CHALLENGE[0]] if asks_for_key else []))
    return Sent(_refs(*always, *([RECEIPT] if receipt else [])), _refs(*always, *refused))


_OF_NAMED: Final = ("tier", "model", "reason")
_OF_ROUTED: Final = (*_OF_NAMED, "strategy", "strong-win-rate", "threshold")
RELAYED: Final = _sent(*_OF_ROUTED, receipt=True)
NAMED: Final = _sent(*_OF_NAMED, receipt=True)
"""Of a request that always names its backend, so that no strategy is asked."""
DECIDED: Final = _sent(*_OF_ROUTED)
TOLD: Final = _sent()
"""By controllers, without a decision of its own."""
OWN: Final = _sent(limited=False)
"""Of the gateway's own paths."""
OPEN: Final = _sent(limited=False, asks_for_key=False)
"""Of those that answer without a key."""
