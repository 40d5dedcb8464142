"""What /openapi.json says of the paths that decide, compare and list, and call no backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from gateway.openapi_headers import DECIDED, TOLD, Sent, of_decisions, of_questions

Node = dict[str, Any]
_TEXT: Final[Node] = {"type": "string"}
_TEXTS: Final[Node] = {"type": "array", "items": _TEXT}
_IGNORED: Final = "Any other field is ignored."
_LISTED: Final = "Strategies, ready or not, their calibrations and certificates, pairs, policies"
_COUNTED: Final = "What all controllers have counted since they started; of keys, an admin's reads it"
_CHAT: Final = "A chat body may come as it would be sent to be answered: any other field is ignored."


def deciding_paths(model: Node, messages: Node, error: Callable[[Sent], Node]) -> Node:
    """Answers are the contract's messages (protos/pointsman/v1) in protobuf's JSON, with the contract's names; `error` describes one."""
    prompt = {**_TEXT, "description": "Text to score as it is, in the place of `messages`."}
    chat = {
        "model": model,
        "prompt": prompt,
        "messages": messages,
        "user": {"description": "Text is the session, where no header names one."},
    }
    batch = {"model": model, "prompts": {**_TEXTS, "maxItems": 1024, "description": "One decision or error for each, in order."}}
    compared = {"prompt": prompt, "messages": messages, "strategies": {**_TEXTS, "description": "All where there is none."}}
    route, many, opinions = _body(chat, [], _CHAT), _body(batch, ["prompts"], _IGNORED), _body(compared, [], _IGNORED)
    decided: Node = {"sent": DECIDED, "error": error(DECIDED)}
    told: Node = {"sent": TOLD, "error": error(TOLD)}
    compared_by = "What each strategy says of one prompt"
    return {
        "/v1/route": _asked("Which backend would answer, and why; none is called", route, "RouteResponse", of_decisions(), **decided),
        "/v1/route/batch": _asked("The same for many prompts", many, "RouteBatchResponse", of_decisions(), **told),
        "/v1/strategies": _told(_LISTED, "ListStrategiesResponse", **told),
        "/v1/strategies/compare": _asked(compared_by, opinions, "CompareStrategiesResponse", of_questions(), **told),
        "/v1/stats": _told(_COUNTED, "StatsResponse", **told),
    }


def answers() -> Node:
    """Their schemas, by the names of the messages. `x-protobuf-type` names what a value is in the contract."""
    result = {
        "type": "object",
        "properties": {
            "decision": _one("Decision", "What was decided."),
            "error": {"type": "object", "description": "Or why nothing was: the `error` of OpenAI's shape."},
        },
    }
    results = {"type": "array", "items": result, "description": "As many as prompts, in their order."}
    receipt = _one("Receipt", "All that explains it; no attempts and no usage, since nothing was called.")
    return {
        "RouteResponse": _answer("RouteResponse", "The decision.", decision=_one("Decision", "What was decided."), receipt=receipt),
        "RouteBatchResponse": _answer("RouteBatchResponse", "One result for each prompt.", results=results),
        "CompareStrategiesResponse": _answer(
            "CompareStrategiesResponse", "What each strategy says.", opinions=_many("Opinion", "One for each; a failed one says why.")
        ),
        "ListStrategiesResponse": _answer("ListStrategiesResponse", "What there is that the key may use.", **_listed()),
        "StatsResponse": _answer("StatsResponse", "The sum over all controllers.", **_counted()),
    }


def _listed() -> Node:
    return {
        "strategies": _many("Strategy", "Strategies and their states."),
        "pairs": _many("Pair", "Pairs of backends."),
        "policies": {**_TEXTS, "description": "Names of the policies."},
        "backends": {**_TEXTS, "description": "Backends that may be named instead of a router."},
        "ensembles": _many("Ensemble", "Several strategies that are calibrated together."),
    }


def _counted() -> Node:
    counts = {"type": "object", "additionalProperties": _TEXT}
    return {
        "rows": _many("StatsResponse.Row", "By pair, strategy, tier and reason, in no order."),
        "uptime": {**_TEXT, "description": "How long the longest of them has run, in seconds such as `12.5s`."},
        "refused": {**counts, "description": "Requests that ended before a decision, by the error's reason."},
        "callers": _many("StatsResponse.CallerRow", "By caller, tier and backend, in no order."),
        "router_cost": {
            "type": "number",
            "description": "What running the router has cost, in the prices' currency; 0 where its price isn't set.",
        },
        "controllers": {**_TEXTS, "description": "All of them, where the settings name several."},
        "scoring": _many("StatsResponse.Durations", "By strategy: how long requests waited for their scorers."),
        "scorer_wait": _many("StatsResponse.Durations", "By strategy: how long prompts waited for a call to a scorer."),
        "first_byte": _many("StatsResponse.Durations", "By backend: from its call to the first byte of its answer."),
        "router": _many("StatsResponse.Durations", "By pair and strategy: the router's own time."),
    }


def _one(message: str, description: str) -> Node:
    return {"type": "object", "x-protobuf-type": f"pointsman.v1.{message}", "description": description}


def _many(message: str, description: str) -> Node:
    items = {"type": "object", "x-protobuf-type": f"pointsman.v1.{message}"}
    return {"type": "array", "items": items, "description": description}


def _answer(message: str, description: str, **properties: Node) -> Node:
    """Every field of the message is there, but for a result's, of which one is."""
    return {**_one(message, description), "required": list(properties), "properties": properties}


def _body(fields: Node, required: list[str], description: str) -> Node:
    return {"type": "object", "description": description, "required": required, "properties": fields, "additionalProperties": True}


def _asked(summary: str, body: Node, answer: str, parameters: list[Node], *, sent: Sent, error: Node) -> Node:
    said = {"requestBody": {"required": True, "content": {"application/json": {"schema": body}}}}
    return {"post": {"summary": summary, "parameters": parameters, **said, "responses": _responses(summary, answer, sent, error)}}


def _told(summary: str, answer: str, *, sent: Sent, error: Node) -> Node:
    return {"get": {"summary": summary, "responses": _responses(summary, answer, sent, error)}}


def _responses(summary: str, answer: str, sent: Sent, error: Node) -> Node:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{answer}"}}}
    return {"200": {"description": summary, "content": content, "headers": sent.answers}, "4XX": error, "5XX": error}
