"""sw_ranking's `config.json`, and the options of its settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from pointsman.runtime.settings_part import Part
from scorers.checkpoint import CheckpointConfig, EmbedderIdentity

Solver = Literal["exact", "compat"]
Similarity = Literal["max", "none"]
Storage = Literal["int8", "float16", "float32"]
WeightBase = Annotated[float, Field(gt=1, le=1e12, allow_inf_nan=False)]
UPSTREAM_WEIGHT_BASE: Final = 10.0


class SWConfig(CheckpointConfig):
    """What sw_ranking adds: the battle table's measures and how its battles are weighed."""

    strategy: Literal["sw_ranking"]
    embedder: EmbedderIdentity
    models: Annotated[Mapping[str, int], Field(min_length=2)]
    """Each model's name and its number in the table, from 0 without gaps."""
    battles: Annotated[int, Field(ge=1)]
    storage: Storage
    """Of the embeddings. int8 is each one's direction, its largest component 127: a cosine needs no length."""
    weight_base: WeightBase = UPSTREAM_WEIGHT_BASE
    """A battle counts weight_base to the power of 1 + its prompt's similarity; 10 is upstream's."""
    similarity: Similarity = "max"
    """max: cosines over the largest one of this query, as upstream's code has it; none: cosines."""

    @model_validator(mode="after")
    def _models_fit(self) -> SWConfig:
        if sorted(self.models.values()) != list(range(len(self.models))):
            raise ValueError("models: numbers must be 0, 1, 2, … without gaps")
        if self.strong == self.weak or not {self.strong, self.weak} <= set(self.models):
            raise ValueError("strong and weak must be two of models")
        return self


class SWOptions(Part):
    """The settings' `options`; null is what the checkpoint was made for."""

    solver: Solver = "exact"
    """compat: as RouteLLM, where a battle within a group is one with a phantom player, which draws all ratings together."""
    rating_groups: Annotated[int, Field(ge=2, le=256)] | None = None
    """How many groups the models are put into by strength; without it, the table's own grouping."""
    weight_base: WeightBase | None = None
    similarity: Similarity | None = None
