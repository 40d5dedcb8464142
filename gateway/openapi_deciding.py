"""What /openapi.json says of the paths that decide, compare and list, and call no backend."""

from __future__ import annotations

from typing import Any, Final

Node = dict[str, Any]
_TEXT: Final[Node] = {"type": "string"}
_TEXTS: Final[Node] = {"type": "array", "items": _TEXT}


def deciding_paths(model: Node, messages: Node, parameters: list[Node], headers: Node, error: Node) -> Node:
    """Answers are the contract's messages (protos/pointsman/v1) in protobuf's JSON, with the contract's names."""
    chat = {"model": model, "prompt": {"type": "string", "description": "Text to score as it is, or"}, "messages": messages, "user": {}}
    batch = {"model": model, "prompts": {**_TEXTS, "maxItems": 1024, "description": "One decision or error for each, in order."}}
    compared = {"prompt": chat["prompt"], "messages": messages, "strategies": {**_TEXTS, "description": "All where there is none."}}
    answer = {"headers": headers, "error": error}
    decision = _object("decision", "receipt")
    listed = _object("strategies", "pairs", "policies", "backends", "ensembles")
    counted = _object("rows", "uptime", "refused", "callers", "router_cost", "controllers", "scoring", "scorer_wait", "first_byte")
    return {
        "/v1/route": _asked("Which backend would answer, and why; none is called", chat, [], decision, parameters, **answer),
        "/v1/route/batch": _asked("The same for many prompts", batch, ["prompts"], _object("results"), parameters, **answer),
        "/v1/strategies": _told("Strategies, ready or not, their calibrations and certificates, pairs, policies", listed, **answer),
        "/v1/strategies/compare": _asked("What each strategy says of one prompt", compared, [], _object("opinions"), [], **answer),
        "/v1/stats": _told("What all controllers have counted since they started; of keys, an admin's reads it", counted, **answer),
    }


def _object(*required: str) -> Node:
    return {"type": "object", "required": list(required)}


def _asked(summary: str, fields: Node, required: list[str], answer: Node, parameters: list[Node], *, headers: Node, error: Node) -> Node:
    schema = {"type": "object", "required": required, "properties": fields, "additionalProperties": True}
    said = {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
    return {"post": {"summary": summary, "parameters": parameters, **said, "responses": _responses(summary, answer, headers, error)}}


def _told(summary: str, answer: Node, *, headers: Node, error: Node) -> Node:
    return {"get": {"summary": summary, "responses": _responses(summary, answer, headers, error)}}


def _responses(summary: str, answer: Node, headers: Node, error: Node) -> Node:
    ok = {"description": summary, "content": {"application/json": {"schema": answer}}, "headers": headers}
    return {"200": ok, "4XX": error, "5XX": error}
