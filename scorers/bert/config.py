"""bert's `config.json`, in a checkpoint of our own."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from pointsman.calibration.record import Sha256
from scorers.checkpoint import CheckpointConfig


class BaseIdentity(BaseModel):
    """The model that the weights change a part of."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str
    sha256: Sha256
    """Of its own `model.safetensors`."""


class BertConfig(CheckpointConfig):
    """What bert adds: the base, which of its tensors are replaced, and how much of a prompt is read."""

    strategy: Literal["bert"]
    base: BaseIdentity
    layers: Annotated[int, Field(ge=1)]
    """Layers of the model: the base's first ones, and of those the last may be replaced."""
    replaced: Annotated[tuple[str, ...], Field(min_length=1)]
    """Prefixes of the state dict's keys: `model.safetensors` has every tensor under them and no other."""
    max_tokens: Annotated[int, Field(ge=8, le=512)]
    """Tokens read of a prompt, the two special ones included."""
