"""The schemas that /openapi.json names: errors, models, and whether the gateway is ready."""

from __future__ import annotations

from typing import Any, Final

from pointsman.runtime.errors import WIRE_FORMS

Node = dict[str, Any]
_TEXT: Final[Node] = {"type": "string"}


def schemas() -> Node:
    """By their names."""
    return {"Error": _error(), "Model": _model(), "ModelList": _models(), "Readiness": _readiness()}


def _error() -> Node:
    forms = WIRE_FORMS.values()
    fields: dict[str, Node] = {
        "message": {**_TEXT, "description": "What happened and what to do next, in English. Never holds a prompt or a key."},
        "type": {"enum": sorted({form.openai_type for form in forms}), "description": "OpenAI's kind of error."},
        "param": {"type": ["string", "null"], "description": "The field or header at fault."},
        "code": {
            "enum": sorted({form.reason.lower() for form in forms}),
            "description": "The reason in lower case; docs/errors.md explains each.",
        },
    }
    return _closed("An error in OpenAI's shape.", error=_closed("What went wrong.", **fields))


def _model() -> Node:
    return _closed(
        "What may stand in a request's `model`, in OpenAI's shape.",
        id={**_TEXT, "description": "The value of `model`."},
        object={"const": "model", "description": "OpenAI's kind of object."},
        created={"type": "integer", "description": "OpenAI's clients need it; 0, since nothing here has a date."},
        owned_by={**_TEXT, "description": "OpenAI's clients need it; `pointsman`."},
    )


def _models() -> Node:
    return _closed(
        "All of them.",
        object={"const": "list", "description": "OpenAI's kind of object."},
        data={
            "type": "array",
            "items": {"$ref": "#/components/schemas/Model"},
            "description": "Each strategy with the threshold 0.5 and with its calibrated shares, policies, and backends that may be named.",
        },
    )


def _readiness() -> Node:
    fields: dict[str, Node] = {
        "ready": {"type": "boolean", "description": "The controller answers, and one strategy at least is ready."},
        "gateway": {**_TEXT, "description": "`ok`, or `stopping`."},
        "controller": {**_TEXT, "description": "`ok`, or why it can't be reached."},
        "strategies": {
            "type": "object",
            "additionalProperties": _TEXT,
            "description": "Of each strategy `ready`, or why it isn't. None where the controller can't be reached.",
        },
    }
    return _closed("What is ready and what is missing.", **fields)


def _closed(description: str, **properties: Node) -> Node:
    return {
        "type": "object",
        "description": description,
        "required": list(properties),
        "properties": properties,
        "additionalProperties": False,
    }
