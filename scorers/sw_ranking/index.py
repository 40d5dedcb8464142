"""Builds sw_ranking's battle table from preference data: `pointsman train sw_ranking --data … --out …`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from scorers.checkpoint import write_checkpoint
from scorers.embedding.embedder import DEFAULT_EMBEDDER, Embedder
from scorers.embedding.options import embedder_named
from scorers.errors import CheckpointRefused, InvalidData
from scorers.offline.benchmarks import PAIR
from scorers.offline.figures import how_held_out, rounded
from scorers.offline.folds import averaged, folds, overall
from scorers.offline.preferences import Battle
from scorers.offline.resume import embedded as embedded_texts
from scorers.offline.resume import work_folder
from scorers.offline.training import Report, TrainReport, run_training, training_parser
from scorers.router import ModelPair
from scorers.sw_ranking.battles import Battles, embedded
from scorers.sw_ranking.card import card
from scorers.sw_ranking.config import UPSTREAM_WEIGHT_BASE, Storage, SWConfig, WeightBase
from scorers.sw_ranking.cross_validation import held_out
from scorers.sw_ranking.data import PreferenceData, load_data
from scorers.sw_ranking.figures import figures_of
from scorers.sw_ranking.model import Weighing
from scorers.sw_ranking.rating_groups import UPSTREAM_GROUPS

WEIGHT_BASES: Final = (UPSTREAM_WEIGHT_BASE, 1e2, 1e4, 1e6, 1e8)


@dataclass(frozen=True, slots=True)
class IndexOptions:
    """What the table is made for. No `weight_base` is, for benchmark files, the one that does best held out, and else upstream's 10."""

    pair: ModelPair = PAIR
    groups: int = UPSTREAM_GROUPS
    weight_base: float | None = None
    storage: Storage = "int8"


def main_index(
    data: Path,
    out: Path,
    report: Report,
    options: IndexOptions | None = None,
    *,
    embedder: Embedder | None = None,
    work: Path | None = None,
) -> TrainReport:
    """Builds a table of all battles but the fixed validation split's, and writes the checkpoint to `out`. Raises `InvalidData`."""
    options = options or IndexOptions()
    found = load_data(data, options.pair)
    embedder = embedder or embedder_named(DEFAULT_EMBEDDER, threads=2)
    everything = [*found.table, *found.validation]
    vectors = _embed(embedder, everything, report, work)
    models = {name for battle in everything for name in (battle.model_a, battle.model_b)}
    battles = embedded(everything, vectors, options.pair, min(options.groups, len(models)))
    in_table = np.arange(len(everything)) < len(found.table)
    table, validation = battles.where(in_table), battles.where(~in_table)
    try:
        weight_base, chosen_by = _choose_weight_base(found, table, options, report)
        report("building the table", 0, 1)
        content = figures_of(table, validation, weight_base, options.storage, benchmarks=found.outcomes is not None) | chosen_by
    except CheckpointRefused as error:
        raise InvalidData(f"{data}: {error.message}") from None
    config = {
        "strategy": "sw_ranking",
        "name": f"sw_ranking-{embedder.id.lower()}",
        "embedder": {"id": embedder.id, "sha256": embedder.sha256, "dim": embedder.dim},
        "models": battles.models,
        "strong": options.pair.strong,
        "weak": options.pair.weak,
        "battles": len(found.table),
        "storage": options.storage,
        "weight_base": weight_base,
        "similarity": "max",
        "data_sha256": found.sha256,
        "seed": 0,  # nothing is drawn
        "created": datetime.now(UTC).date().isoformat(),
    }
    tensors = table.table(options.storage).tensors()
    written = write_checkpoint(out, SWConfig, config, tensors, content, card(config, content, benchmarks=found.outcomes is not None))
    report("building the table", 1, 1)
    return TrainReport(written.version, str(out), content)


def _embed(embedder: Embedder, battles: Sequence[Battle], report: Report, work: Path | None) -> NDArray[np.float32]:
    texts = list(dict.fromkeys(battle.prompt for battle in battles))
    vectors = embedded_texts(embedder, texts, report, work)
    row = {text: i for i, text in enumerate(texts)}
    return vectors[[row[battle.prompt] for battle in battles]]


def _choose_weight_base(found: PreferenceData, table: Battles, options: IndexOptions, report: Report) -> tuple[float, dict[str, Any]]:
    """The weight base, and the figures of every one that was tried on prompts held out of the table's."""
    if found.outcomes is None:
        return options.weight_base or UPSTREAM_WEIGHT_BASE, {}
    stage = "choosing the weight base"
    bases = [UPSTREAM_WEIGHT_BASE, options.weight_base] if options.weight_base else WEIGHT_BASES
    choices = [Weighing(base) for base in bases]
    cuts = folds(found.outcomes)
    rows: list[list[dict[str, float]]] = []
    report(stage, 0, len(cuts))
    for row in held_out(cuts, table, choices):
        rows.append(row)
        report(stage, len(rows), len(cuts))
    tried = [(base, averaged([row[i] for row in rows])) for i, base in enumerate(bases)]
    best, _ = tried[-1] if options.weight_base else max(tried, key=lambda each: overall(each[1]))
    by_base = {f"{base:g}": rounded(figures) for base, figures in tried}
    how = f"{how_held_out(benchmarks=True, chosen='weight base')} Scored by float32 tables."
    return best, {"held_out": by_base[f"{best:g}"], "held_out_by_weight_base": by_base, "held_out_how": how}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Progress goes to standard error, the figures (JSON with --json) to standard output."""
    options = _parser().parse_args(arguments)
    made_for = IndexOptions(ModelPair(options.strong, options.weak), options.rating_groups, options.weight_base, options.storage)

    def index(report: Report) -> TrainReport:
        embedder = embedder_named(options.embedder, threads=options.threads)
        with work_folder(options.out, options.work) as work:
            return main_index(options.data, options.out, report, made_for, embedder=embedder, work=work)

    return run_training(index, as_json=options.json)


def _parser() -> argparse.ArgumentParser:
    parser = training_parser("sw_ranking", "Build sw_ranking's battle table. Nothing is drawn, so --seed changes nothing.")
    parser.add_argument("--embedder", default=DEFAULT_EMBEDDER, help="an embedder's id, or a directory of sentence-transformers' layout")
    parser.add_argument("--rating-groups", type=_groups, default=UPSTREAM_GROUPS, help="groups of models of like strength, at most")
    parser.add_argument("--weight-base", type=_weight_base, help="how sharply similar battles count more; RouteLLM's is 10")
    parser.add_argument("--storage", choices=get_args(Storage), default="int8", help="how embeddings are kept")
    return parser


def _groups(text: str) -> int:
    if not text.isdecimal() or not 2 <= int(text) <= 256:
        raise argparse.ArgumentTypeError("a whole number from 2 to 256 is needed")
    return int(text)


def _weight_base(text: str) -> float:
    try:
        base: float = TypeAdapter(WeightBase).validate_python(text)
    except ValidationError:
        raise argparse.ArgumentTypeError("a number above 1 is needed") from None
    return base


if __name__ == "__main__":
    sys.exit(main())
