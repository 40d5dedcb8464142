"""GET /openapi.json: what the gateway serves, as OpenAPI 3.1. Data, and tests that it is the route table and docs/reference-rest.md."""

from __future__ import annotations

import json
from typing import Any, Final

from gateway import openapi_headers
from gateway.exchange import Exchange
from gateway.openapi_deciding import answers, deciding_paths
from gateway.openapi_headers import NAMED, OPEN, OWN, RELAYED, TOLD, Sent
from gateway.openapi_identity import KEYS
from gateway.openapi_schemas import schemas
from pointsman import __version__

Node = dict[str, Any]
_TEXT: Final[Node] = {"type": "string"}
_MODEL: Final[Node] = {
    "type": "string",
    "description": "`router-<strategy>-<threshold>`, `router-<strategy>-<percent>pct`, `router:<policy>`, or a backend's name where the "
    "settings allow it.",
    "examples": ["router-mf-0.5", "router-mf-30pct", "router:support-bot"],
}
_ROLE: Final[Node] = {**_TEXT, "description": "Whose message it is; of those with `user` the last one is scored."}
_MESSAGES: Final[Node] = {
    "type": "array",
    "minItems": 1,
    "items": {"type": "object", "required": ["role"], "properties": {"role": _ROLE}},
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
        # Beside the document itself: a proxy may have put both below a path of its own.
        "servers": [{"url": "."}],
        "paths": {**_relayed_paths(), **_model_paths(), **_deciding_paths(), **_own_paths()},
        # Any of the three, where `gateway.keys_file` is set.
        "security": [{name: []} for name in KEYS],
        "components": {
            "schemas": {**schemas(), **answers()},
            "headers": openapi_headers.headers(),
            "parameters": openapi_headers.parameters(),
            "securitySchemes": KEYS,
        },
    }


def _relayed_paths() -> Node:
    prompt = {"type": ["string", "array", "null"], "description": "Text is scored (several joined by newlines); tokens aren't."}
    items: Node = {"type": "array", "items": {"type": "object"}}
    given = {"anyOf": [_TEXT, items, {"type": "null"}], "description": "The last user input is scored."}
    previous = {"type": ["string", "null"], "description": "With it, `model` must name a backend: another can't continue it."}
    named = {"type": "string", "description": "A backend's name: embeddings are never routed."}
    embedded = {"anyOf": [_TEXT, {"type": "array"}], "description": "What the backend embeds."}
    return {
        "/v1/chat/completions": _relayed("A chat completion", _body(["model", "messages"], model=_MODEL, messages=_MESSAGES)),
        "/v1/completions": _relayed("A completion", _body(["model"], model=_MODEL, prompt=prompt)),
        "/v1/responses": _relayed("A response", _body(["model"], model=_MODEL, input=given, previous_response_id=previous)),
        "/v1/embeddings": _relayed("Embeddings", _body(["model"], model=named, input=embedded), NAMED, streams=False),
    }


def _body(required: list[str], **properties: Node) -> Node:
    """Any object with these among its fields: every other field is the backend's business."""
    common: Node = {
        "stream": {"type": ["boolean", "null"], "description": "Whether the backend is asked for a stream of events."},
        "user": {"description": "Passed on; text is the session too, where no header names one."},
    }
    said = "Any other field goes to the backend as it is."
    return {
        "type": "object",
        "description": said,
        "required": required,
        "properties": {**properties, **common},
        "additionalProperties": True,
    }


def _relayed(what: str, body: Node, sent: Sent = RELAYED, *, streams: bool = True) -> Node:
    content: Node = {"application/json": {"schema": {"type": "object"}}}
    if streams:
        content["text/event-stream"] = {
            "schema": {"description": "The backend's events as they came."}
        }  # of no type: some read it as one event's
    answer = {"description": f"{what} of the backend, byte for byte.", "content": content, "headers": sent.answers}
    error = _error(sent)
    post = {
        "summary": f"{what}, by the backend that the request is routed to or names",
        "parameters": openapi_headers.of_relayed(),
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {"2XX": answer, "4XX": error, "5XX": error},
    }
    return {"post": post}


def _model_paths() -> Node:
    parameter = {"name": "model_id", "in": "path", "required": True, "schema": _TEXT, "description": "A request's `model`."}
    return {
        "/v1/models": _got("What `model` may be: strategies, calibrated shares, policies, backends", _json(_named("ModelList")), TOLD),
        "/v1/models/{model_id}": {**_got("Whether `model` may be this", _json(_named("Model")), TOLD), "parameters": [parameter]},
    }


def _deciding_paths() -> Node:
    return deciding_paths(_MODEL, _MESSAGES, _error)


def _own_paths() -> Node:
    online = {"status": {"const": "online", "description": "The gateway answers."}}
    live = {"live": {"const": True, "description": "The process answers."}}
    readyz = _got("Whether requests can be answered", _json(_named("Readiness")), OPEN)
    metrics = _got("Prometheus's text format; of keys, an admin's reads it", {"text/plain": {"schema": _TEXT}}, OWN)
    metrics["get"]["responses"]["200"]["description"] = "docs/metrics.md lists every metric."
    not_now = {"description": "Not now; the body says what is missing.", "headers": OPEN.answers}
    readyz["get"]["responses"]["503"] = {**not_now, "content": _json(_named("Readiness"))}
    return {
        "/health": _open(_got("RouteLLM's own health check", _json({"type": "object", "properties": online}), OPEN)),
        "/livez": _open(_got("Whether the process lives", _json({"type": "object", "properties": live}), OPEN)),
        "/readyz": _open(readyz),
        "/metrics": metrics,
        "/openapi.json": _got("This API, as OpenAPI 3.1", _json({"type": "object"}), OWN),
    }


def _got(summary: str, content: Node, sent: Sent) -> Node:
    ok = {"description": summary, "content": content, "headers": sent.answers}
    error = _error(sent)
    return {"get": {"summary": summary, "responses": {"200": ok, "4XX": error, "5XX": error}}}


def _open(item: Node) -> Node:
    """A path that answers without a key."""
    return {"get": {**item["get"], "security": []}}


def _json(schema: Node) -> Node:
    return {"application/json": {"schema": schema}}


def _named(schema: str) -> Node:
    return {"$ref": f"#/components/schemas/{schema}"}


def _error(sent: Sent) -> Node:
    return {
        "description": "An error in OpenAI's shape; docs/errors.md lists every code.",
        "content": _json(_named("Error")),
        "headers": sent.errors,
    }


class OpenApi:
    """Serves the document."""

    def __init__(self) -> None:
        self._document = json.dumps(document()).encode()

    async def __call__(self, exchange: Exchange) -> None:
        """GET /openapi.json."""
        await exchange.answer(200, [("content-type", "application/json")], self._document)
