"""A checkpoint directory: `model.safetensors`, `config.json`, `figures.json` and `README.md`, its card.

Loading is strict: every tensor that's expected and no other, of the right shape and type, from a file whose sha256 is the one
in the config. Nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load, save

from pointsman.calibration.record import Sha256
from scorers.embedding.embedder import Embedder
from scorers.errors import CheckpointRefused, EmbedderMismatch
from scorers.router import ModelPair

Tensors = Mapping[str, NDArray[Any]]
_WEIGHTS: Final = "model.safetensors"


class EmbedderIdentity(BaseModel):
    """Which embeddings the weights were fitted to."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str
    sha256: Sha256
    dim: Annotated[int, Field(ge=1)]
    """Length of an embedding."""


class CheckpointConfig(BaseModel):
    """`config.json`: what every strategy's has; each adds its own and names itself in `strategy`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    format: Literal[1] = 1
    strategy: str
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    weights_sha256: Sha256
    """Of `model.safetensors`."""
    strong: str
    weak: str
    data_sha256: Sha256
    seed: int
    created: str

    @property
    def version(self) -> str:
        """`name@sha256:12 hex digits`."""
        return f"{self.name}@sha256:{self.weights_sha256[:12]}"

    @property
    def pair(self) -> ModelPair:
        """The models that the weights were fitted for."""
        return ModelPair(self.strong, self.weak)


Config = TypeVar("Config", bound=CheckpointConfig)


def read_config(folder: Path, schema: type[Config]) -> Config:
    """The directory's config. Raises `CheckpointRefused` where it's missing, wrong, or another strategy's."""
    file = folder / "config.json"
    try:
        return schema.model_validate_json(file.read_bytes())
    except OSError as error:
        raise CheckpointRefused(f"{file}: can't be read: {error.strerror}.") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise CheckpointRefused(f"{file}: {where + ': ' if where else ''}{first['msg']}.") from None


def load_tensors(folder: Path, config: CheckpointConfig, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, NDArray[np.float32]]:
    """The weights: exactly the names and shapes given, float32 and finite. Raises `CheckpointRefused`."""
    file = folder / _WEIGHTS
    try:
        data = file.read_bytes()
    except OSError as error:
        raise CheckpointRefused(f"{file}: can't be read: {error.strerror}.") from None
    if hashlib.sha256(data).hexdigest() != config.weights_sha256:
        raise CheckpointRefused(
            f"{file}: not the file that config.json was written for (its sha256 differs); copy the checkpoint again, whole."
        )
    try:
        tensors: dict[str, NDArray[np.float32]] = load(data)
    except (SafetensorError, ValueError) as error:
        raise CheckpointRefused(f"{file}: not a safetensors file: {error}.") from None
    _check(file, tensors, shapes)
    return tensors


def require_embedder(config: CheckpointConfig, fitted: EmbedderIdentity, embedder: Embedder) -> None:
    """Raises `EmbedderMismatch` unless the embedder is the one that the weights were fitted to, to the last bit."""
    if (embedder.id, embedder.dim) != (fitted.id, fitted.dim):
        raise EmbedderMismatch(
            f"The checkpoint {config.version} was fitted to {fitted.id} with {fitted.dim} dimensions, "
            f"and the embedder here is {embedder.id} with {embedder.dim}; options.embedder names another, or train again."
        )
    if embedder.sha256 != fitted.sha256:
        raise EmbedderMismatch(
            f"The checkpoint {config.version} was fitted to {fitted.id} with weights sha256:{fitted.sha256[:12]}, "
            f"and the weights here are sha256:{embedder.sha256[:12]}: its win rates would mean nothing; take those, or train again."
        )


def write_checkpoint(
    folder: Path, schema: type[Config], config: Mapping[str, Any], tensors: Tensors, figures: Mapping[str, Any], card: str
) -> Config:
    """Writes all four files and returns the config, `weights_sha256` added; config.json goes last, so a torn write never loads.

    Raises `OSError` naming the folder.
    """
    data: bytes = save(dict(tensors))
    checked = schema.model_validate({**config, "weights_sha256": hashlib.sha256(data).hexdigest()})
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").unlink(missing_ok=True)
        (folder / _WEIGHTS).write_bytes(data)
        (folder / "figures.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
        (folder / "README.md").write_text(card, encoding="utf-8")
        (folder / "config.json").write_text(json.dumps(checked.model_dump(mode="json"), indent=2) + "\n", encoding="utf-8")
    except OSError as error:  # that of a full disk names nothing
        raise OSError(error.errno, error.strerror, str(folder)) from None
    return checked


def _check(file: Path, tensors: Tensors, shapes: Mapping[str, tuple[int, ...]]) -> None:
    if missing := sorted(shapes.keys() - tensors.keys()):
        raise CheckpointRefused(f"{file}: tensors missing: {', '.join(missing)}.")
    if extra := sorted(tensors.keys() - shapes.keys()):
        raise CheckpointRefused(f"{file}: tensors that don't belong: {', '.join(extra)}.")
    for name, shape in shapes.items():
        tensor = tensors[name]
        if tensor.shape != shape:
            raise CheckpointRefused(f"{file}: {name} is {list(tensor.shape)}, not {list(shape)}.")
        if tensor.dtype != np.float32:
            raise CheckpointRefused(f"{file}: {name} is {tensor.dtype}, not float32.")
        if not np.isfinite(tensor).all():
            raise CheckpointRefused(f"{file}: {name} holds numbers that aren't finite.")
