"""What every part of the settings is made of, and records too: a strict model, and the types of its values."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)]
StrategyName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Fraction = Annotated[float, Field(ge=0, le=1)]
OnFailure = Literal["strong", "weak", "error"]


class Part(BaseModel):
    """A part of the settings: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


_P = TypeVar("_P", bound=Part)


def only_one(part: _P, first: str, second: str) -> _P:
    """The part. Raises `ValueError` where it has both keys."""
    if getattr(part, first) and getattr(part, second):
        raise ValueError(f"{first} and {second} exclude each other")
    return part
