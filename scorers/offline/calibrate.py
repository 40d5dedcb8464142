"""`pointsman calibrate`: turns strong shares, or a budget, into thresholds for the checkpoint that serves.

    python -m scorers.offline.calibrate --data FILE --strategies mf,bert [--strong-share 0.3] [--url HOST:PORT] [--out records]

Without --url the strategies are built in this process, by the settings; with it a running service is asked. mf+bert calibrates both,
and the mean of their ranks, for router-mf+bert-30pct. The records say what
part of the sample each threshold sends to strong; other traffic has other win rates, so calibrate on your own.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Final

from google.protobuf.json_format import MessageToDict
from rich.console import Console
from rich.table import Table

from pointsman.calibration.ensemble import ensemble_record
from pointsman.calibration.files import Record, write_record
from pointsman.calibration.making import SHARES, Data, Scorer, calibration_record, prompts_sha256, share_of_budget
from pointsman.calibration.record import CalibratedShare, CalibrationRecord
from pointsman.runtime.client_tls import ControllerAccess
from pointsman.runtime.model_string import percent
from pointsman.runtime.settings_file import load_settings
from pointsman.v1 import calibration_pb2
from scorers.errors import InvalidData
from scorers.offline.arguments import money, share, whole_number
from scorers.offline.command import exit_code, warn
from scorers.offline.labelled import repeats
from scorers.offline.prompts import load_prompts
from scorers.offline.recent import calibrate_recent
from scorers.offline.scored import Scored
from scorers.offline.sources import add_source_options, scored_by_options

_NO_TERMINAL_WIDTH: Final = 140
_EXAMPLE_SHARE: Final = 0.3


def scorer_of(scored: Scored) -> Scorer:
    """Whose win rates they are."""
    return Scorer(scored.strategy, scored.checkpoint, scored.embedder)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code, as `exit_code` has it. Records are written once all are made."""
    options = _parse(arguments)
    errors = Console(stderr=True)
    return exit_code(lambda: _recent(options) if options.recent else _run(options, errors), errors)


def _run(options: argparse.Namespace, errors: Console) -> None:
    shares = _shares(options)
    settings = load_settings(options.settings)
    data, prompts = load_prompts(options.data, validation_only=options.split == "validation")
    if said := repeats(prompts):
        warn(errors, f"{data}: {said}")
    asked = [tuple(dict.fromkeys(name.split("+"))) for name in options.strategies]
    options.strategies = list(dict.fromkeys(chain.from_iterable(asked)))
    scored = scored_by_options(prompts, "scoring", options, settings, errors)
    sample = Data(data, prompts_sha256(prompts))
    records = _records(asked, scored, sample, shares, options.draws)
    files = written(options.out or settings.records_dir, records)
    _show(records, files, settings.controller.records_interval_s, as_json=options.json)


def _records(
    asked: Iterable[tuple[str, ...]], scored: Sequence[Scored], sample: Data, shares: Sequence[float], draws: int
) -> list[CalibrationRecord]:
    """Each strategy's, then those of several by them. Raises `InvalidRequest` where win rates can't tell prompts apart."""
    records = [calibration_record(scorer_of(each), each.win_rates, sample, shares, draws=draws) for each in scored]
    own = {each.strategy: (record, each.win_rates) for record, each in zip(records, scored, strict=True)}
    for several in (names for names in asked if len(names) > 1):
        members, win_rates = [own[name][0] for name in several], [own[name][1] for name in several]
        records.append(ensemble_record(members, win_rates, sample, shares, draws=draws))
    return records


def _recent(options: argparse.Namespace) -> None:
    """The controller writes the records, one after the other. It is called as the gateway calls it by the settings."""
    shares = sorted(set(options.strong_share))
    access = ControllerAccess(load_settings(options.settings).gateway)
    found = [calibrate_recent(options.url, access, name, shares, options.spend) for name in options.strategies]
    if options.json:
        sys.stdout.writelines(json.dumps(MessageToDict(each, preserving_proto_field_name=True)) + "\n" for each in found)
        return
    Console(width=None if sys.stdout.isatty() else _NO_TERMINAL_WIDTH).print(_table((each.strategy, each.thresholds) for each in found))


def written(folder: Path, records: Sequence[Record]) -> list[Path]:
    """Their files. Raises `OSError` naming the folder."""
    try:
        return [write_record(folder, record) for record in records]
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from None


def _shares(options: argparse.Namespace) -> list[float]:
    if options.spend is None:
        return sorted(set(options.strong_share))
    if not options.cost:
        raise InvalidData("--spend needs --cost STRONG WEAK: what 1,000 requests cost on each tier.")
    return [share_of_budget(options.spend, *options.cost)]


def _show(records: Sequence[CalibrationRecord], files: Sequence[Path], interval_s: float, *, as_json: bool) -> None:
    if as_json:
        for record, file in zip(records, files, strict=True):
            sys.stdout.write(json.dumps({"file": str(file), **record.model_dump(mode="json", exclude={"quantiles"})}) + "\n")
        return
    console = Console()
    console.print(_table((record.strategy, record.thresholds) for record in records))
    for file in files:  # whole: a folder relative to another place than the service's is easily the wrong one
        console.print(f"written: {file.resolve()}", soft_wrap=True, highlight=False, markup=False)
    console.print(_next(records[0], interval_s), soft_wrap=True, highlight=False, markup=False)


def _next(record: CalibrationRecord, interval_s: float) -> str:
    """What it is good for from now on. One share that was asked for is named; of many, one."""
    share = record.thresholds[0].strong_share if len(record.thresholds) == 1 else _EXAMPLE_SHARE
    model = f"router-{record.strategy}-{percent(share)}pct"
    return f"A service with this folder as records_dir goes by it within {interval_s:g} s, for {model} and any other share."


def _table(found: Iterable[tuple[str, Iterable[CalibratedShare | calibration_pb2.CalibratedThreshold]]]) -> Table:
    table = Table("strategy", "strong share", "threshold", "95 % interval")
    for strategy, thresholds in found:
        for each in thresholds:
            interval = f"{each.threshold_low:.5f} to {each.threshold_high:.5f}"
            table.add_row(strategy, f"{percent(each.strong_share)} %", f"{each.threshold:.5f}", interval)
    return table


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="pointsman calibrate", description="Turn strong shares, or a budget, into thresholds.")
    sample = parser.add_mutually_exclusive_group(required=True)
    sample.add_argument("--data", type=Path, help="prompts: CSV, JSON Lines or Parquet with a column prompt")
    sample.add_argument("--recent", action="store_true", help="the win rates of recent traffic; --url is then the controller's address")
    parser.add_argument("--split", choices=("all", "validation"), default="all", help="of RouteLLM's benchmarks: rows nothing trains on")
    add_source_options(parser)
    parser.add_argument("--strong-share", type=share, nargs="+", default=list(SHARES), help="0 to 1; the record serves any other too")
    parser.add_argument("--spend", type=money, help="what 1,000 requests may cost; needs --cost")
    parser.add_argument("--cost", type=money, nargs=2, metavar=("STRONG", "WEAK"), help="what 1,000 requests cost on each tier")
    parser.add_argument("--out", type=Path, help="where records go; the settings' records_dir unless named")
    parser.add_argument("--draws", type=whole_number(1), default=1000, help="resamples for the intervals")
    parser.add_argument("--json", action="store_true", help="JSON Lines on standard output, one object per record")
    options = parser.parse_args(arguments)
    if options.recent and not options.url:
        parser.error("--recent needs --url, the controller's gRPC address")
    return options


if __name__ == "__main__":
    sys.exit(main())
