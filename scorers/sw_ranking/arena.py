"""RouteLLM's own battle table, from its public datasets: battles of the Chatbot Arena and of a judge, with their embeddings.

    python -m scorers.sw_ranking.arena --battles ARENA JUDGE --embeddings ARENA_EMBEDDINGS JUDGE_EMBEDDINGS --out DIR

Each is a folder, or a dataset of the hub as owner/name@revision. Rows and embeddings belong together by their place alone, as upstream
has it: battles whose first turn has fewer than 16 characters have no embedding.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np
from numpy.typing import NDArray

from scorers.checkpoint import write_checkpoint
from scorers.embedding.endpoint import endpoint_sha256
from scorers.errors import CheckpointRefused, InvalidData
from scorers.hub import dataset_folder
from scorers.offline.preferences import TIE, Battle, battles_sha256
from scorers.offline.training import Report, TrainReport, run_training
from scorers.router import ROUTELLM_PAIR
from scorers.sw_ranking.battles import embedded
from scorers.sw_ranking.config import UPSTREAM_WEIGHT_BASE, Storage, SWConfig
from scorers.sw_ranking.data import SHORTEST
from scorers.sw_ranking.model import Weighing
from scorers.sw_ranking.rating_groups import UPSTREAM_GROUPS

EMBEDDING: Final = "text-embedding-3-small"
_COLUMNS: Final = ("model_a", "model_b", "prompt", "winner_model_a", "winner_model_b")


def main_arena(battles: Sequence[Path], embeddings: Sequence[Path], out: Path, report: Report, storage: Storage = "float16") -> TrainReport:
    """Writes the table of all battles to `out`. Raises `InvalidData`, also where battles and embeddings aren't equally many."""
    stage = "reading battles"
    report(stage, 0, 2)
    fought = [battle for folder in battles for battle in _battles(folder)]
    report(stage, 1, 2)
    vectors = np.concatenate([_embeddings(folder) for folder in embeddings])
    report(stage, 2, 2)
    if len(vectors) != len(fought):
        raise InvalidData(f"{len(fought)} battles with a first turn of {SHORTEST} characters or more, but {len(vectors)} embeddings.")
    table = embedded(fought, vectors, ROUTELLM_PAIR, UPSTREAM_GROUPS)
    config = {
        "strategy": "sw_ranking",
        "name": "sw_ranking-routellm-arena",
        "embedder": {"id": EMBEDDING, "sha256": endpoint_sha256(EMBEDDING, vectors.shape[1]), "dim": vectors.shape[1]},
        "models": table.models,
        "strong": ROUTELLM_PAIR.strong,
        "weak": ROUTELLM_PAIR.weak,
        "battles": len(fought),
        "storage": storage,
        "weight_base": UPSTREAM_WEIGHT_BASE,
        "similarity": "max",
        "data_sha256": battles_sha256(fought),
        "seed": 0,
        "created": datetime.now(UTC).date().isoformat(),
    }
    figures = {"rows": {"table": len(fought), "models": len(table.models)}, "storage": storage, "how": "Nothing is held out."}
    try:
        table.ranking(Weighing(), storage)
    except (CheckpointRefused, KeyError) as error:
        raise InvalidData(f"The battles can't rate {ROUTELLM_PAIR.strong} against {ROUTELLM_PAIR.weak}: {error}") from None
    written = write_checkpoint(out, SWConfig, config, table.table(storage).tensors(), figures, _CARD.format(battles=len(fought)))
    return TrainReport(written.version, str(out), figures)


def _battles(folder: Path) -> Iterator[Battle]:
    files = _files(folder, ".parquet", ".csv")
    for file in files:
        for number, row in enumerate(_parquet_rows(file) if file.suffix == ".parquet" else _csv_rows(file), 1):
            try:
                first_turn = json.loads(row["prompt"])[0].strip()
                won_a, won_b = (int(row[name]) for name in ("winner_model_a", "winner_model_b"))
            except (KeyError, ValueError, TypeError, IndexError, AttributeError):
                raise InvalidData(f"{file}: row {number}: not a battle of {', '.join(_COLUMNS)}.") from None
            if len(first_turn) >= SHORTEST:
                winner = row["model_a"] if won_a == 1 else row["model_b"] if won_b == 1 else TIE
                yield Battle(first_turn, row["model_a"], row["model_b"], winner)


def _embeddings(folder: Path) -> NDArray[np.float32]:
    """(n, dim)."""
    from pyarrow.parquet import ParquetFile

    blocks: list[NDArray[np.float32]] = []
    for file in _files(folder, ".parquet"):
        with ParquetFile(file) as table:
            if "embeddings" not in table.schema_arrow.names:
                raise InvalidData(f"{file}: no column embeddings.")
            for batch in table.iter_batches(columns=["embeddings"]):
                column = batch.column(0)
                flat = column.flatten().to_numpy(zero_copy_only=False).astype(np.float32)
                if len(column) == 0 or len(flat) % len(column):
                    raise InvalidData(f"{file}: embeddings of different lengths.")
                blocks.append(flat.reshape(len(column), -1))
    return np.concatenate(blocks)


def _files(folder: Path, *suffixes: str) -> list[Path]:
    files = sorted(file for file in folder.rglob("*") if file.suffix in suffixes)
    if not files:
        raise InvalidData(f"{folder}: no {' or '.join(suffixes)} file is in it.")
    return files


def _parquet_rows(file: Path) -> Iterator[Mapping[str, Any]]:
    from pyarrow.parquet import ParquetFile

    with ParquetFile(file) as table:
        if missing := [name for name in _COLUMNS if name not in table.schema_arrow.names]:
            raise InvalidData(f"{file}: no column {', '.join(missing)}.")
        for batch in table.iter_batches(columns=list(_COLUMNS)):
            yield from batch.to_pylist()


def _csv_rows(file: Path) -> Iterator[Mapping[str, Any]]:
    csv.field_size_limit(1 << 30)  # answers are in it, and long ones
    with file.open(encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Progress goes to standard error, the figures to standard output."""
    parser = argparse.ArgumentParser(prog="python -m scorers.sw_ranking.arena", description="Build RouteLLM's own battle table.")
    parser.add_argument("--battles", nargs="+", required=True, help="folders, or owner/name@revision: train.csv or Parquet")
    parser.add_argument("--embeddings", nargs="+", required=True, help="the same, in the same order: Parquet with a column embeddings")
    parser.add_argument("--out", type=Path, required=True, help="the checkpoint directory to write")
    parser.add_argument("--storage", choices=get_args(Storage), default="float16", help="how embeddings are kept")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args(arguments)

    def build(report: Report) -> TrainReport:
        battles, embeddings = ([dataset_folder(name) for name in names] for names in (options.battles, options.embeddings))
        return main_arena(battles, embeddings, options.out, report, options.storage)

    return run_training(build, as_json=options.json)


_CARD: Final = """# sw_ranking-routellm-arena

RouteLLM's own table for `sw_ranking`: {battles:,} battles with their embeddings (text-embedding-3-small), as its published datasets
have them. None is held out, so no figure of quality stands here. It needs an endpoint for the embeddings
(`strategies.sw_ranking.options.embedder`). Licences: those of the datasets. No text of them is in this directory.
"""

if __name__ == "__main__":
    sys.exit(main())
