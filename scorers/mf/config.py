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
    models: Annotated[Mapping[str, int], Field(min_length=2)]
    """Each model's name and its row, from 0 without gaps."""

    @model_validator(mode="after")
    def _models_fit(self) -> MFConfig:
        if sorted(self.models.values()) != list(range(len(self.models))):
            raise ValueError("models: rows must be 0, 1, 2, … without gaps")
        if self.strong == self.weak or not {self.strong, self.weak} <= set(self.models):
            raise ValueError("strong and weak must be two of models")
        return self
