"""Measures one machine, and plans more of them. On purpose, not in CI:

    .venv/bin/python -m benchmarks.growth measure          # this machine's service times, into benchmarks/growth/measured.json
    .venv/bin/python -m benchmarks.growth services         # what a decision costs gateway, controller and Serve, into the same file
    .venv/bin/python -m benchmarks.growth plan --strategy mf --rate 500 --words 100
    .venv/bin/python -m benchmarks.growth report           # benchmarks/growth.md and its plots, from measured.json

Prices are assumptions: name your own. So are a node's size, the target, and what of a process's core is used.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, fields, replace
from pathlib import Path

from benchmarks.growth.measured import FILE, Cpu, Measured
from benchmarks.growth.planner import Assumptions, plan
from benchmarks.growth.text import plan_table
from scorers.errors import InvalidData


def main() -> None:
    """Runs one of the four."""
    options = _parser().parse_args()
    if options.command == "measure":
        from benchmarks.growth.measure import STRATEGIES, measure  # torch is imported where it's needed

        measure(options.strategies or STRATEGIES, options.words, options.prompts, options.rounds, options.out)
        return
    if options.command == "services":
        from benchmarks.growth.services import measure_services

        measure_services(options.rounds, options.seconds, options.out)
        return
    try:
        measured = _with_cpu(Measured.read(options.measured), options)
        assumed = Assumptions(**{each.name: getattr(options, each.name) for each in fields(Assumptions)})
        if options.command == "report":
            from benchmarks.growth.report import write_report  # and matplotlib too

            write_report(measured, assumed, options.out)
        else:
            _plan(measured, assumed, options)
    except (InvalidData, ValueError) as error:
        sys.exit(f"error: {error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    measuring = commands.add_parser("measure", help="this machine's service times")
    measuring.add_argument("--strategies", nargs="+")
    measuring.add_argument("--words", type=int, nargs="+", default=[16, 64, 256])
    measuring.add_argument("--prompts", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32])
    measuring.add_argument("--rounds", type=int, default=5)
    measuring.add_argument("--out", type=Path, default=FILE)
    services = commands.add_parser("services", help="what a decision costs each service")
    services.add_argument("--rounds", type=int, default=3)
    services.add_argument("--seconds", type=float, default=5)
    services.add_argument("--out", type=Path, default=FILE)
    planning = commands.add_parser("plan", help="replicas, controllers, gateways, nodes and cost for rates")
    planning.add_argument("--strategy", required=True)
    planning.add_argument("--rate", type=float, nargs="+", required=True, help="decisions a second")
    planning.add_argument("--words", type=int, default=64, help="of a prompt")
    planning.add_argument("--json", action="store_true", help="a line of JSON for each rate")
    reporting = commands.add_parser("report", help="growth.md and its plots")
    reporting.add_argument("--out", type=Path, default=Path(__file__).parents[1])
    for each in (planning, reporting):
        _assumptions(each)
    return parser


def _assumptions(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--measured", type=Path, default=FILE)
    for name in ("gateway", "controller", "serve"):
        parser.add_argument(f"--{name}-ms", type=float, help="processor ms, in the place of the file's")
    for each in fields(Assumptions):
        kind = type(each.default)
        choices = {"arrivals": ("poisson", "bursty"), "slots": ("each", "shared")}.get(each.name)
        parser.add_argument(f"--{each.name.replace('_', '-')}", type=kind, default=each.default, choices=choices)


def _with_cpu(measured: Measured, options: argparse.Namespace) -> Measured:
    given = {name: getattr(options, f"{name}_ms") / 1e3 for name in ("gateway", "controller", "serve") if getattr(options, f"{name}_ms")}
    return replace(measured, cpu=Cpu(**{**asdict(measured.cpu), **given}))


def _plan(measured: Measured, assumed: Assumptions, options: argparse.Namespace) -> None:
    plans = [plan(measured, options.strategy, rate, options.words, assumed) for rate in options.rate]
    if options.json:
        for each in plans:
            print(json.dumps(asdict(each)))
    else:
        print(plan_table(plans))


if __name__ == "__main__":
    main()
