"""What goes wrong in the scorers, as branches of the one tree in `pointsman.runtime.errors`.

Unavailable
├── EmbeddingFailed              the embedding endpoint gave no vectors
└── StrategyNotBuilt             a strategy that can't serve, and why
    ├── InvalidOptions           its settings' `options`
    ├── CheckpointRefused        missing, damaged, or of another shape
    │   └── EmbedderMismatch     made with other embeddings than the ones here
    └── EmbedderMissing          the embedding model isn't installed
InvalidRequest
└── InvalidData                  training data that isn't there or isn't in RouteLLM's layout
InternalError
└── ModelFailed                  a batch that the model couldn't score
"""

from __future__ import annotations

from pointsman.runtime.errors import InternalError, InvalidRequest, PointsmanError, Unavailable


class StrategyNotBuilt(Unavailable): ...


class InvalidOptions(StrategyNotBuilt): ...


class CheckpointRefused(StrategyNotBuilt): ...


class EmbedderMismatch(CheckpointRefused): ...


class EmbedderMissing(StrategyNotBuilt): ...


class EmbeddingFailed(Unavailable): ...


class InvalidData(InvalidRequest): ...


class ModelFailed(InternalError):
    """Says nothing of what was scored: the prompts of a batch are many callers'."""

    def __init__(self, strategy: str) -> None:
        PointsmanError.__init__(self, f"The {strategy} model failed on this batch of prompts.")
