"""Rows that are costly to compute, kept as they are computed, so that a training that was cut off goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pointsman.runtime.whole_files import written_whole
from scorers.embedding.embedder import Embedder
from scorers.offline.training import Report

CHUNK: Final = 512
Compute = Callable[[Sequence[str], Callable[[int], None]], NDArray[Any]]
"""Rows (n, dim) for texts; tells how many are done."""


def resumed_rows(texts: Sequence[str], compute: Compute, *, over: str, work: Path | None, report: Callable[[int], None]) -> NDArray[Any]:
    """Rows (n, dim), computed by chunks. Those that the folder `work` has aren't computed again.

    `over` says what the rows come of beside the texts, such as the model's hash: other texts or another model are other files.
    """
    chunks: list[NDArray[Any]] = []
    for start in range(0, len(texts), CHUNK):
        chunk = texts[start : start + CHUNK]

        told = partial(_told, report, start)
        chunks.append(_kept(chunk, partial(compute, chunk, told), over, work) if work else compute(chunk, told))
        report(start + len(chunk))
    return np.concatenate(chunks)


def embedded(embedder: Embedder, texts: Sequence[str], report: Report, work: Path | None) -> NDArray[np.float32]:
    """The texts' embeddings (n, dim)."""
    stage = "embedding prompts"
    report(stage, 0, len(texts))
    return resumed_rows(
        texts,
        lambda chunk, told: embedder.embed(chunk, told).vectors,
        over=f"{embedder.id} {embedder.sha256}",
        work=work,
        report=lambda done: report(stage, done, len(texts)),
    )


@contextmanager
def work_folder(out: Path, named: Path | None) -> Iterator[Path]:
    """The folder for what's kept: `named`, else one beside `out`, which is removed where the training comes to its end."""
    work = named or out.with_name(f"{out.name}.work")
    yield work
    if named is None:
        shutil.rmtree(work, ignore_errors=True)


def _told(report: Callable[[int], None], before: int, done: int) -> None:
    report(before + done)


def _kept(chunk: Sequence[str], compute: Callable[[], NDArray[Any]], over: str, work: Path) -> NDArray[Any]:
    digest = hashlib.sha256(json.dumps([over, list(chunk)]).encode()).hexdigest()[:24]
    file = work / f"rows-{digest}.npy"
    if not file.is_file():
        rows = compute()
        work.mkdir(parents=True, exist_ok=True)
        with written_whole(file) as opened:
            np.save(opened, rows, allow_pickle=False)
    kept: NDArray[Any] = np.load(file, allow_pickle=False)
    return kept
