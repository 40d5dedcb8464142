"""What every part of the settings is made of, and records too: a strict model, and the types of its values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, ValidationInfo, field_validator
from pydantic_core import InitErrorDetails

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)]
StrategyName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Fraction = Annotated[float, Field(ge=0, le=1)]
OnFailure = Literal["strong", "weak", "error"]


class Part(BaseModel):
    """A part of the settings: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _true_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Pydantic takes true for 1, and 1 for true. Texts are left to it: the environment has nothing else."""
        name = str(info.field_name)
        wanted = _kinds(cls.model_fields[name].annotation)
        numbers = wanted & {int, float}
        if bool(numbers) == (bool in wanted):
            return value
        needed = "bool_type" if not numbers else "int_type" if int in numbers else "float_type"
        other = {bool} if numbers else {int, float}
        # A ValidationError of an item is told with the item's place.
        if faults := [InitErrorDetails(type=needed, loc=loc, input=given) for loc, given in _values(value) if type(given) in other]:
            raise ValidationError.from_exception_data(name, faults)
        return value


def _kinds(annotation: Any) -> set[type]:
    """The plain types that an annotation comes down to, a Literal's value to its own: of `list[Annotated[int, …]] | None`, int too."""
    if parts := get_args(annotation):
        return set().union(*(_kinds(part) for part in parts))
    return {annotation if isinstance(annotation, type) else type(annotation)}


def _values(value: Any) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """The value, or what a list or a mapping holds, each with its place in it."""
    if isinstance(value, Mapping):
        yield from (((str(key),), item) for key, item in value.items())
    elif isinstance(value, list | tuple):
        yield from (((index,), item) for index, item in enumerate(value))
    else:
        yield (), value


_P = TypeVar("_P", bound=Part)


def only_one(part: _P, first: str, second: str) -> _P:
    """The part. Raises `ValueError` where it has both keys."""
    if getattr(part, first) and getattr(part, second):
        raise ValueError(f"{first} and {second} exclude each other")
    return part
