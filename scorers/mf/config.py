"""mf's `config.json`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from scorers.checkpoint import CheckpointConfig, EmbedderIdentity


class MFConfig(CheckpointConfig):
    """What mf adds: the embeddings, and which row of the weights is which model's."""

    strategy: Literal["mf"]
    embedder: EmbedderIdentity
    dim: Annotated[int, Field(ge=1)]
    """Length of a model's vector."""
    num_models: Annotated[int, Field(ge=2)]
    """Rows of the weights."""
    models: Annotated[Mapping[str, int], Field(min_length=2)]
    """Models by name, and the row of each; not every row needs a name."""

    @model_validator(mode="after")
    def _models_fit(self) -> MFConfig:
        rows = list(self.models.values())
        if len(set(rows)) != len(rows) or not set(rows) <= set(range(self.num_models)):
            raise ValueError(f"models: each needs a row of its own from 0 to {self.num_models - 1}")
        if self.strong == self.weak or not {self.strong, self.weak} <= set(self.models):
            raise ValueError("strong and weak must be two of models")
        return self
