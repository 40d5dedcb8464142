"""GET /openapi.json: what the gateway serves, as OpenAPI 3.1. Data, and a test that it is the route table."""

from __future__ import annotations

import json
from typing import Any, Final

from gateway.deadline import LONGEST_S, TIMEOUT_HEADER
from gateway.exchange import Exchange
from gateway.headers import RECEIPT
from gateway.identity.guard import CHALLENGE
from gateway.openapi_deciding import deciding_paths
from gateway.openapi_identity import KEYS, RATE_LIMIT_HEADERS
from pointsman import __version__
from pointsman.runtime.decision_headers import PREFIX, REQUEST_ID
from pointsman.runtime.errors import WIRE_FORMS
from pointsman.runtime.tracing import CONTEXT

Node = dict[str, Any]
_TEXT: Final[Node] = {"type": "string"}
_FRACTION: Final[Node] = {"type": "number", "minimum": 0, "maximum": 1}
_TIER: Final[Node] = {"enum": ["strong", "weak"]}
_ID: Final[Node] = {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,128}$"}

_REQUEST_HEADERS: Final[dict[str, tuple[Node, str]]] = {
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
_DECISION_HEADERS: Final[dict[str, tuple[Node, str]]] = {
    f"{PREFIX}tier": (_TIER, "The tier that answers."),
    f"{PREFIX}model": (_TEXT, "The backend's own name of the model that answers."),
    f"{PREFIX}reason": (_TEXT, "Why this tier: `comparison`, `nothing_to_score`, `backend_named`, …"),
    f"{PREFIX}strategy": (_TEXT, "The strategy that was asked for."),
    f"{PREFIX}strong-win-rate": (_FRACTION, "What the strategy predicted."),
    f"{PREFIX}threshold": (_FRACTION, "Strong where the strong win rate is at least this."),
}
_MODEL: Final[Node] = {
    "type": "string",
    "description": "`router-<strategy>-<threshold>`, `router-<strategy>-<percent>pct`, `router:<policy>`, or a backend's name where the "
    "settings allow it.",
    "examples": ["router-mf-0.5", "router-mf-30pct", "router:support-bot"],
}
_STRINGS: Final[Node] = {"type": "array", "items": _TEXT}
_OBJECTS: Final[Node] = {"type": "array", "items": {"type": "object"}}
_MESSAGES: Final[Node] = {
    "type": "array",
    "minItems": 1,
    "items": {"type": "object", "required": ["role"], "properties": {"role": _TEXT}},
    "description": "The text of the last user message is scored.",
}


def document() -> Node:
    """The whole document, JSON-ready."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Pointsman",
            "version": __version__,
            "description": "Sends each request to a strong or a weak backend, with only the value of `model` replaced in its body. "
            "A backend's own 400, 404, 413 and 422 pass through unchanged, in whatever shape.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {**_relayed_paths(), **_model_paths(), **_deciding_paths(), **_own_paths()},
        # Any of the three, where `gateway.keys_file` is set.
        "security": [{name: []} for name in KEYS],
        "components": {"schemas": _schemas(), "headers": _headers(), "parameters": _parameters(), "securitySchemes": KEYS},
    }


def _relayed_paths() -> Node:
    prompt = {"type": ["string", "array", "null"], "description": "Text is scored (several joined by newlines); tokens aren't."}
    given = {"anyOf": [_TEXT, _OBJECTS, {"type": "null"}], "description": "The last user input is scored."}
    previous = {"type": ["string", "null"], "description": "With it, `model` must name a backend: another can't continue it."}
    named = {"type": "string", "description": "A backend's name: embeddings are never routed."}
    embedded = {"anyOf": [_TEXT, {"type": "array"}]}
    return {
        "/v1/chat/completions": _relayed("A chat completion", _body(["model", "messages"], model=_MODEL, messages=_MESSAGES)),
        "/v1/completions": _relayed("A completion", _body(["model"], model=_MODEL, prompt=prompt)),
        "/v1/responses": _relayed("A response", _body(["model"], model=_MODEL, input=given, previous_response_id=previous)),
        "/v1/embeddings": _relayed("Embeddings", _body(["model"], model=named, input=embedded), streams=False),
    }


def _body(required: list[str], **properties: Node) -> Node:
    """Any object with these among its fields: every other field is the backend's business."""
    common = {"stream": {"type": ["boolean", "null"]}, "user": {}}
    return {"type": "object", "required": required, "properties": {**properties, **common}, "additionalProperties": True}


def _relayed(what: str, body: Node, *, streams: bool = True) -> Node:
    content: Node = {"application/json": {"schema": {"type": "object"}}}
    if streams:
        content["text/event-stream"] = {
            "schema": {"description": "The backend's events as they came."}
        }  # of no type: some read it as one event's
    answer = {"description": f"{what} of the backend, byte for byte.", "content": content, "headers": _refs("headers", *_ANSWER_HEADERS)}
    post = {
        "summary": f"{what}, by the backend that the request is routed to or names",
        "parameters": [{"$ref": f"#/components/parameters/{name}"} for name in _REQUEST_HEADERS],
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {"2XX": answer, "4XX": _error(_DECISION_HEADERS), "5XX": _error(_DECISION_HEADERS)},
    }
    return {"post": post}


def _model_paths() -> Node:
    listed, one = ({"$ref": f"#/components/schemas/{name}"} for name in ("ModelList", "Model"))
    parameter = {"name": "model_id", "in": "path", "required": True, "schema": _TEXT}
    return {
        "/v1/models": _got("What `model` may be: strategies, calibrated shares, policies, backends", _json(listed)),
        "/v1/models/{model_id}": {**_got("Whether `model` may be this", _json(one)), "parameters": [parameter]},
    }


def _deciding_paths() -> Node:
    parameters = [{"$ref": f"#/components/parameters/{name}"} for name in _REQUEST_HEADERS if name != RECEIPT]
    return deciding_paths(_MODEL, _MESSAGES, parameters, _refs("headers", *_ANSWER_HEADERS), _error(_DECISION_HEADERS))


def _own_paths() -> Node:
    anything: Node = {"type": "object"}
    ready = {"type": "object", "required": ["ready"], "properties": {"ready": {"type": "boolean"}}}
    readyz = _got("Whether requests can be answered", _json(ready))
    readyz["get"]["responses"]["503"] = {"description": "Not now; the body says what is missing.", "content": _json(ready)}
    return {
        "/health": _open(_got("RouteLLM's own health check", _json(anything))),
        "/livez": _open(_got("Whether the process lives", _json(anything))),
        "/readyz": _open(readyz),
        "/metrics": _got("Prometheus's text format; of keys, an admin's reads it", {"text/plain": {"schema": _TEXT}}),
        "/openapi.json": _got("This document", _json(anything)),
    }


def _got(summary: str, content: Node) -> Node:
    ok = {"description": summary, "content": content, "headers": _refs("headers", REQUEST_ID)}
    return {"get": {"summary": summary, "responses": {"200": ok, "4XX": _error({}), "5XX": _error({})}}}


def _open(item: Node) -> Node:
    """A path that answers without a key."""
    return {"get": {**item["get"], "security": []}}


def _json(schema: Node) -> Node:
    return {"application/json": {"schema": schema}}


def _error(decided: Node) -> Node:
    return {
        "description": "An error in OpenAI's shape; docs/errors.md lists every code.",
        "content": _json({"$ref": "#/components/schemas/Error"}),
        "headers": _refs("headers", *decided, *RATE_LIMIT_HEADERS, REQUEST_ID, "retry-after", CHALLENGE[0]),
    }


def _refs(kind: str, *names: str) -> Node:
    return {name: {"$ref": f"#/components/{kind}/{name}"} for name in names}


_ANSWER_HEADERS: Final = (*_DECISION_HEADERS, *RATE_LIMIT_HEADERS, RECEIPT, REQUEST_ID)


def _headers() -> Node:
    others = {
        RECEIPT: (_TEXT, "The receipt as JSON, where it was asked for and the answer is whole."),
        REQUEST_ID: (_ID, "The request's id."),
        "retry-after": ({"type": "integer", "minimum": 1}, "Seconds to come back after."),
        CHALLENGE[0]: (_TEXT, "How to send a key, with a 401."),
    }
    return {
        name: {"schema": schema, "description": text}
        for name, (schema, text) in {**_DECISION_HEADERS, **RATE_LIMIT_HEADERS, **others}.items()
    }


def _parameters() -> Node:
    said = _REQUEST_HEADERS.items()
    return {name: {"name": name, "in": "header", "schema": schema, "description": text} for name, (schema, text) in said}


def _schemas() -> Node:
    forms = WIRE_FORMS.values()
    error: dict[str, Node] = {
        "message": _TEXT,
        "type": {"enum": sorted({form.openai_type for form in forms})},
        "param": {"type": ["string", "null"], "description": "The field or header at fault."},
        "code": {"enum": sorted({form.reason.lower() for form in forms})},
    }
    model: dict[str, Node] = {"id": _TEXT, "object": {"const": "model"}, "created": {"type": "integer"}, "owned_by": _TEXT}
    listed: dict[str, Node] = {"object": {"const": "list"}, "data": {"type": "array", "items": {"$ref": "#/components/schemas/Model"}}}
    return {"Error": _closed(error=_closed(**error)), "Model": _closed(**model), "ModelList": _closed(**listed)}


def _closed(**properties: Node) -> Node:
    return {"type": "object", "required": list(properties), "properties": properties, "additionalProperties": False}


class OpenApi:
    """Serves the document."""

    def __init__(self) -> None:
        self._document = json.dumps(document()).encode()

    async def __call__(self, exchange: Exchange) -> None:
        """GET /openapi.json."""
        await exchange.answer(200, [("content-type", "application/json")], self._document)
