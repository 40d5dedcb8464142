"""What is wrong with a setting, in a sentence."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


def sentence(error: ErrorDetails, schema: type[BaseModel]) -> str:
    """The key and what is wrong with it, with the nearest valid name where it is unknown; never its value."""
    loc = error["loc"]
    key = ".".join(str(part) for part in loc) or "settings"
    if error["type"] == "extra_forbidden":
        known = _known_keys(loc[:-1], schema)
        near = difflib.get_close_matches(str(loc[-1]), known, n=1)
        advice = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
        return f"{key}: unknown key; {advice}"
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{key}: {message}"


def _known_keys(loc: tuple[int | str, ...], schema: type[BaseModel]) -> list[str]:
    annotation: Any = schema
    for part in loc:
        annotation = _without_none(annotation.model_fields[part].annotation) if _is_model(annotation) else get_args(annotation)[-1]
    return sorted(annotation.model_fields) if _is_model(annotation) else []


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _without_none(annotation: Any) -> Any:
    return next((a for a in get_args(annotation) if _is_model(a) and type(None) in get_args(annotation)), annotation)
