"""causal_llm's `config.json`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from pointsman.calibration.record import Sha256
from scorers.causal_llm.chat import ChatFormat
from scorers.checkpoint import CheckpointConfig


class BaseIdentity(BaseModel):
    """Which model the weights were trained over."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: Literal["SmolLM2-135M-Instruct.Q4_1"]
    sha256: Sha256
    """Of its GGUF file."""


class CausalLLMConfig(CheckpointConfig):
    """What causal_llm adds: the base model, how much of it is used, and what it is told."""

    strategy: Literal["causal_llm"]
    base: BaseIdentity
    layers: Annotated[int, Field(ge=1)]
    """How many of the base's layers are used, from the first; the last of them is the one that was trained."""
    rank: Annotated[int, Field(ge=1)]
    """Of the differences to that layer's matrices."""
    max_tokens: Annotated[int, Field(ge=16)]
    """Of a longer prompt the head (three quarters) and the tail are read."""
    system: str
    """The system message."""

    @property
    def chat(self) -> ChatFormat:
        """The format with this system message."""
        return chat_format(self.system)


def chat_format(system: str) -> ChatFormat:
    """SmolLM2's own chat format, up to where the assistant speaks."""
    return ChatFormat(f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>", "user\n", "", "<|im_end|>\n<|im_start|>assistant\n")


CONTROL = ("<|im_start|>", "<|im_end|>")
"""The special tokens of that format."""
