"""Measures one machine, and plans more of them. On purpose, not in CI:

    .venv/bin/python -m benchmarks.growth measure          # this machine's service times, into benchmarks/growth/measured.json
    .venv/bin/python -m benchmarks.growth plan --rate 500 --strategy mf --words 100
    .venv/bin/python -m benchmarks.growth report           # benchmarks/growth.md and its plots
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.growth.measured import FILE


def main() -> None:
    """Runs one of the three."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    measuring = commands.add_parser("measure")
    measuring.add_argument("--strategies", nargs="+")
    measuring.add_argument("--words", type=int, nargs="+", default=[16, 64, 256])
    measuring.add_argument("--prompts", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32])
    measuring.add_argument("--rounds", type=int, default=7)
    measuring.add_argument("--out", type=Path, default=FILE)
    options = parser.parse_args()
    if options.command == "measure":
        from benchmarks.growth.measure import STRATEGIES, measure

        measure(options.strategies or STRATEGIES, options.words, options.prompts, options.rounds, options.out)


if __name__ == "__main__":
    main()
