"""The battle table: what `model.safetensors` holds of sw_ranking, mapped and not read. Numbers only; no prompt's text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from scorers.errors import CheckpointRefused
from scorers.sw_ranking.config import Storage, SWConfig

_WEIGHTS: Final = "model.safetensors"
_DTYPES: Final = {"I8": np.int8, "F16": np.float16, "F32": np.float32, "I16": np.int16, "U8": np.uint8}
_STORED: Final[Mapping[str, str]] = {"int8": "I8", "float16": "F16", "float32": "F32"}
_BLOCK: Final = 8192


class BattleOutcome(IntEnum):
    """Who won."""

    A = 0
    B = 1
    TIE = 2


@dataclass(frozen=True, slots=True)
class BattleTable:
    """n battles, sorted by model_a, then model_b, then outcome.

    `embeddings` (n, dim) of the prompts; `model_a` and `model_b` (n,) numbers of models; `outcome` (n,) of `BattleOutcome`;
    `rating_group` (models,), 0 the strongest.
    """

    embeddings: NDArray[Any]
    model_a: NDArray[np.int16]
    model_b: NDArray[np.int16]
    outcome: NDArray[np.uint8]
    rating_group: NDArray[np.int16]

    def tensors(self) -> dict[str, NDArray[Any]]:
        """As a checkpoint keeps them."""
        return {name: np.ascontiguousarray(getattr(self, name)) for name in self.__slots__}


def build_table(
    embeddings: NDArray[np.float32],
    model_a: Sequence[int],
    model_b: Sequence[int],
    outcome: Sequence[int],
    rating_group: Sequence[int],
    storage: Storage = "float32",
) -> BattleTable:
    """A table of battles given in any order, embeddings (n, dim) stored as told."""
    a, b, o = np.asarray(model_a, dtype=np.int16), np.asarray(model_b, dtype=np.int16), np.asarray(outcome, dtype=np.uint8)
    order = np.lexsort((o, b, a))
    return BattleTable(stored(embeddings[order], storage), a[order], b[order], o[order], np.asarray(rating_group, dtype=np.int16))


def stored(embeddings: NDArray[np.float32], storage: Storage) -> NDArray[Any]:
    """The embeddings' directions (n, dim) as the storage has them."""
    if storage != "int8":
        return embeddings.astype(storage)
    largest = np.maximum(np.abs(embeddings).max(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    directions: NDArray[np.int8] = np.rint(embeddings * (127 / largest)).astype(np.int8)
    return directions


def load_table(folder: Path, config: SWConfig) -> BattleTable:
    """The directory's table, mapped into memory that all replicas share. Raises `CheckpointRefused` for any other than config.json's."""
    n, dim = config.battles, config.embedder.dim
    expected = {
        "embeddings": (_STORED[config.storage], (n, dim)),
        "model_a": ("I16", (n,)),
        "model_b": ("I16", (n,)),
        "outcome": ("U8", (n,)),
        "rating_group": ("I16", (len(config.models),)),
    }
    file = folder / _WEIGHTS
    table = BattleTable(**_mapped(file, config.weights_sha256, expected))
    _check_values(file, table)
    return table


def _mapped(file: Path, sha256: str, expected: Mapping[str, tuple[str, tuple[int, ...]]]) -> dict[str, NDArray[Any]]:
    try:
        with file.open("rb") as data:
            if hashlib.file_digest(data, "sha256").hexdigest() != sha256:
                raise CheckpointRefused(
                    f"{file}: not the file that config.json was written for (its sha256 differs); copy the checkpoint again, whole."
                )
        with safe_open(file, "np"):  # checks the layout
            pass
    except OSError as error:
        raise CheckpointRefused(f"{file}: can't be read: {error.strerror or error}.") from None
    except SafetensorError as error:
        raise CheckpointRefused(f"{file}: not a safetensors file: {error}.") from None
    with file.open("rb") as data:
        length = int.from_bytes(data.read(8), "little")
        header: dict[str, Any] = json.loads(data.read(length))
    header.pop("__metadata__", None)
    _check_layout(file, header, expected)
    return {name: _mapped_tensor(file, 8 + length, header[name]) for name in expected}


def _check_layout(file: Path, header: Mapping[str, Any], expected: Mapping[str, tuple[str, tuple[int, ...]]]) -> None:
    if missing := sorted(expected.keys() - header.keys()):
        raise CheckpointRefused(f"{file}: tensors missing: {', '.join(missing)}.")
    if extra := sorted(header.keys() - expected.keys()):
        raise CheckpointRefused(f"{file}: tensors that don't belong: {', '.join(extra)}.")
    for name, (dtype, shape) in expected.items():
        tensor = header[name]
        if tuple(tensor["shape"]) != shape:
            raise CheckpointRefused(f"{file}: {name} is {tensor['shape']}, not {list(shape)}.")
        if tensor["dtype"] != dtype:
            raise CheckpointRefused(f"{file}: {name} is {tensor['dtype']}, not {dtype}.")


def _mapped_tensor(file: Path, start: int, tensor: Mapping[str, Any]) -> NDArray[Any]:
    offset = start + tensor["data_offsets"][0]
    return np.asarray(np.memmap(file, dtype=_DTYPES[tensor["dtype"]], mode="r", offset=offset, shape=tuple(tensor["shape"])))


def _check_values(file: Path, table: BattleTable) -> None:
    models = len(table.rating_group)
    a, b, outcome = table.model_a.astype(np.int64), table.model_b.astype(np.int64), table.outcome.astype(np.int64)
    for name, numbers, limit in (("model_a", a, models), ("model_b", b, models), ("outcome", outcome, len(BattleOutcome))):
        if numbers.min() < 0 or numbers.max() >= limit:
            raise CheckpointRefused(f"{file}: {name} holds numbers outside 0 to {limit - 1}.")
    if table.rating_group.min() < 0:
        raise CheckpointRefused(f"{file}: rating_group holds numbers below 0.")
    if (np.diff((a * models + b) * len(BattleOutcome) + outcome) < 0).any():
        raise CheckpointRefused(f"{file}: battles aren't sorted by model_a, model_b and outcome.")
    for start in range(0, len(a), _BLOCK):
        if not np.isfinite(table.embeddings[start : start + _BLOCK]).all():
            raise CheckpointRefused(f"{file}: embeddings holds numbers that aren't finite.")
