"""Cosines of prompts to every battle's: the one product of sw_ranking that costs time."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats32 = NDArray[np.float32]
Cosines = Callable[[Floats32], Floats32]
"""(n, battles), float32, from queries (n, dim) of any length; a query of zeros has none but 0."""

_TINY: Final = np.finfo(np.float32).tiny
_BLOCK: Final = 4096  # battles whose lengths are taken at once
_BLOCK_BYTES: Final = 3 << 20  # of embeddings in float32 at once: a core's cache holds them
_ROWS: Final = 2048  # battles that an integer product takes at once, for the same reason
_STEPS: Final = 127  # of int8, on either side of zero
_FINER: Final = 254  # steps of the second half of a query in one of the first's


def cosines_to(embeddings: NDArray[Any]) -> Cosines:
    """The fastest way for embeddings (battles, dim) as they are stored: in integers where they and the processor allow it."""
    lengths = _lengths(embeddings)
    return _integer_products(embeddings, lengths) if embeddings.dtype == np.int8 and _has_int8() else _products(embeddings, lengths)


def _products(embeddings: NDArray[Any], lengths: Floats32) -> Cosines:
    """By float32, whatever they are stored as."""

    def cosines(queries: Floats32) -> Floats32:
        unit = queries / np.maximum(np.linalg.norm(queries, axis=1, keepdims=True), _TINY)
        found = np.empty((len(queries), len(embeddings)), dtype=np.float32)
        rows = max(1, _BLOCK_BYTES // (4 * queries.shape[1]))
        for start in range(0, len(embeddings), rows):
            block = slice(start, start + rows)
            found[:, block] = (embeddings[block].astype(np.float32, copy=False) @ unit.T).T
        found /= lengths
        return found

    return cosines


def _integer_products(embeddings: NDArray[np.int8], lengths: Floats32) -> Cosines:
    """By sums of int8 products, which are exact: only the query is rounded, to 15 bits as two rows of int8.

    A cosine is off by some 1e-6, a win rate by less than a tenth of what storing the table as int8 costs.
    """
    import torch

    with warnings.catch_warnings():  # the table is mapped read-only, and nothing here writes to it
        warnings.simplefilter("ignore")
        table = torch.from_numpy(embeddings)

    def cosines(queries: Floats32) -> Floats32:
        largest = np.maximum(np.abs(queries).max(axis=1, keepdims=True), _TINY)
        steps = queries / largest * _STEPS
        coarse = np.rint(steps)
        fine = np.rint((steps - coarse) * _FINER)
        both = torch.from_numpy(np.concatenate([coarse, fine]).astype(np.int8))
        found = torch.empty(len(queries), len(embeddings))
        for start in range(0, len(embeddings), _ROWS):
            coarse_sums, fine_sums = torch._int_mm(both, table[start : start + _ROWS].T).float().chunk(2)
            torch.add(coarse_sums, fine_sums, alpha=1 / _FINER, out=found[:, start : start + _ROWS])
        cosines: Floats32 = found.numpy()
        cosines *= largest / _STEPS / np.maximum(np.linalg.norm(queries, axis=1, keepdims=True), _TINY)
        cosines /= lengths
        return cosines

    return cosines


def _has_int8() -> bool:
    from scorers.precision import has_int8

    return has_int8()


def _lengths(embeddings: NDArray[Any]) -> Floats32:
    blocks = (embeddings[start : start + _BLOCK].astype(np.float32) for start in range(0, len(embeddings), _BLOCK))
    lengths: Floats32 = np.maximum(np.concatenate([np.linalg.norm(block, axis=1) for block in blocks]), _TINY)
    return lengths
