"""`pointsman certify`: thresholds that lose at most so much quality, with a bound that holds for any sample and distribution.

    python -m scorers.offline.certify --data labels.csv --strategies mf,bert --max-quality-loss 0.03 --judge "gpt-x, single answers"

`--data` has `prompt, weak, strong`: what each tier's answer was worth. They must be prompts of the traffic that will be routed, judged as
it would be, that no strategy was trained on.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pointsman.calibration.certificate import Certificate, CertifiedSlice
from pointsman.calibration.certifying import Label
from pointsman.calibration.making import VALID_DAYS, Promise, certificate, expiry
from pointsman.calibration.records import Records
from pointsman.runtime.errors import InvalidRequest
from pointsman.runtime.model_string import percent
from pointsman.runtime.no_such import no_such
from pointsman.runtime.settings import Settings, with_local_llms
from pointsman.runtime.settings_file import load_settings
from scorers.errors import InvalidData
from scorers.offline.arguments import days, inside
from scorers.offline.calibrate import scorer_of, written
from scorers.offline.command import exit_code
from scorers.offline.outcomes import Sample, load_sample
from scorers.offline.progress import counted
from scorers.offline.scored import Progress, Scored
from scorers.offline.sources import add_source_options, scored_by_options

_NO_TERMINAL_WIDTH: Final = 140
_ROUTELLM_JUDGE: Final = "right or wrong, by RouteLLM's benchmark files"


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code, as `exit_code` has it, and 1 where something couldn't be certified; the rest is written all the same."""
    options = _parse(arguments)
    errors = Console(stderr=True)
    refused: list[str] = []
    code = exit_code(lambda: refused.extend(_run(options, errors)), errors)
    for each in refused:
        errors.print(each, style="red", markup=False, soft_wrap=True, highlight=False)
    return code or (1 if refused else 0)


def _run(options: argparse.Namespace, errors: Console) -> list[str]:
    """What couldn't be certified, and why."""
    settings = with_local_llms(load_settings(options.settings))
    sample = load_sample(options.data, options.slices, tuple(options.scale), keep_duplicates=options.keep_duplicates)
    promises = _promises(options, settings)
    records = Records.load([settings.records_dir])  # not those that ship: they are of exam questions, and this may be other traffic
    scored = scored_by_options(sample.prompts, "scoring", options, settings, errors)
    with counted("certifying", len(scored) * len(promises), errors) as told:
        made, refused = _certificates(sample, scored, promises, records, told)
    _show(made, written(options.out or settings.records_dir, made), as_json=options.json)
    return refused


def _promises(options: argparse.Namespace, settings: Settings) -> list[Promise]:
    """For the models that the pair has now, unless they are named."""
    if options.pair not in settings.pairs:
        raise InvalidData(f"--pair: {no_such('pair', options.pair, settings.pairs)}.")
    pair = settings.pairs[options.pair]
    strong, weak = options.models or (settings.backends[pair.strong].model, settings.backends[pair.weak].model)
    judge = options.judge or (_ROUTELLM_JUDGE if options.data.is_dir() else None)
    if not judge:
        raise InvalidData("--judge: a certificate says who judged the answers; name it.")
    expires = expiry(options.days)
    return [Promise(options.pair, strong, weak, judge, loss, options.delta, expires) for loss in sorted(set(options.max_quality_loss))]


def _certificates(
    sample: Sample, scored: Sequence[Scored], promises: Sequence[Promise], records: Records, told: Progress
) -> tuple[list[Certificate], list[str]]:
    """Those that could be made, and why the others couldn't."""
    made: list[Certificate] = []
    refused: list[str] = []
    for each in scored:
        labels = [Label(rate, *outcome) for rate, outcome in zip(each.win_rates, sample.outcomes, strict=True)]
        calibrations = records.of(each.strategy, each.checkpoint, each.embedder)
        for promise in promises:
            try:
                found = certificate(scorer_of(each), labels, sample.slices, sample.data, promise, next(iter(calibrations), None))
            except InvalidRequest as error:
                refused.append(f"{each.strategy}: {error.message}")
            else:
                made.append(found)
            told(len(made) + len(refused))
    return made, refused


def _show(made: Sequence[Certificate], files: Sequence[Path], *, as_json: bool) -> None:
    if as_json:
        for each, file in zip(made, files, strict=True):
            sys.stdout.write(json.dumps({"file": str(file), **each.model_dump(mode="json", exclude={"quantiles"})}) + "\n")
        return
    table = Table("strategy", "loss at most", "confidence", "threshold", "to weak", "loss seen", "bound", "prompts", "until")
    for each in made:
        promise = f"{each.max_quality_loss:g}", f"{percent(1 - each.delta)} %"
        table.add_row(escape(each.strategy), *promise, *_figures(each), f"{each.expires:%Y-%m-%d}")
        for part in each.slices:
            table.add_row(f"  {escape(part.name)} alone", "", "", *_figures(part), "", style="dim")
    console = Console(width=None if sys.stdout.isatty() else _NO_TERMINAL_WIDTH)
    if made:
        console.print(table)
    for file in files:
        console.print(f"written: {file.resolve()}", soft_wrap=True, highlight=False, markup=False)


def _figures(found: Certificate | CertifiedSlice) -> tuple[str, ...]:
    weak = f"{100 * found.weak_share:.1f} %"
    return f"{found.threshold:.5f}", weak, f"{found.loss:.4f}", f"{found.bound:.4f}", f"{found.sample_size:,}"


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="pointsman certify", description="Find thresholds that lose at most so much quality.")
    parser.add_argument(
        "--data", type=Path, required=True, help="CSV, JSON Lines or Parquet (prompt, weak, strong); or RouteLLM's benchmarks"
    )
    add_source_options(parser)
    parser.add_argument("--max-quality-loss", type=inside, nargs="+", required=True, help="against always-strong, of outcomes from 0 to 1")
    parser.add_argument("--delta", type=inside, default=0.05, help="1 minus the confidence")
    parser.add_argument("--judge", help="who said what an answer is worth; stands in the certificate")
    parser.add_argument("--pair", default="default", help="the pair that the outcomes are of")
    parser.add_argument("--models", nargs=2, metavar=("STRONG", "WEAK"), help="whose answers were judged; the pair's unless named")
    parser.add_argument("--slices", metavar="COLUMN", help="the promise is to hold in each of its values")
    parser.add_argument(
        "--scale", type=float, nargs=2, default=(0.0, 1.0), metavar=("LOW", "HIGH"), help="the outcomes' range, such as 1 10"
    )
    parser.add_argument("--keep-duplicates", action="store_true", help="a prompt may stand in several rows")
    parser.add_argument("--days", type=days, default=VALID_DAYS, help="how long the certificate is valid")
    parser.add_argument("--out", type=Path, help="where certificates go; the settings' records_dir unless named")
    parser.add_argument("--json", action="store_true", help="JSON Lines on standard output, one object per certificate")
    options = parser.parse_args(arguments)
    if not options.scale[0] < options.scale[1]:
        parser.error("--scale: LOW must be below HIGH")
    return options


if __name__ == "__main__":
    sys.exit(main())
