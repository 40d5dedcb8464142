"""The JSON Schema of the settings file, for editors, with the explanations that stand below the keys in the schema's own source."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, get_args

from pydantic import BaseModel

from pointsman.runtime.settings import Settings


def settings_schema() -> dict[str, Any]:
    """Draft 2020-12; an unknown key is an error in it, as it is in the file."""
    schema = Settings.model_json_schema()
    explained = {"Settings": schema, **schema["$defs"]}
    for part in _parts(Settings):
        properties = explained[part.__name__]["properties"]
        for name, explanation in _explanations(part).items():
            properties[name]["description"] = explanation
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Settings of Pointsman"}


def _parts(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from _parts(field.annotation)
    for argument in get_args(annotation):
        yield from _parts(argument)


def _explanations(part: type[BaseModel]) -> dict[str, str]:
    """The string below a field, as one line."""
    [body] = [each.body for each in ast.parse(textwrap.dedent(inspect.getsource(part))).body if isinstance(each, ast.ClassDef)]
    return {
        field.target.id: " ".join(below.value.value.split())
        for field, below in pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    }
