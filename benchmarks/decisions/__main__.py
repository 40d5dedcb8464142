"""What a decision costs beyond its model, and fan-out beyond the slowest strategy. On purpose, not in CI:

    .venv/bin/python -m benchmarks.decisions --out benchmarks/decisions.md

Starts `pointsman up` with settings of its own on free ports, one replica of a strategy, nothing remembered. What is compared takes turns
within every round, so that whatever else the machine does meets all of it; figures are medians of the rounds.
"""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Final

from benchmarks.decisions import cold, compare, prompts, route

_PARTS: Final = {"route": route.tables, "compare": compare.tables, "cold": cold.tables}


def main() -> None:
    """Measures, prints, and writes where told."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4, help="of each measurement in a round")
    parser.add_argument("--only", choices=list(_PARTS), nargs="+", default=list(_PARTS))
    parser.add_argument("--kinds", choices=prompts.KINDS, nargs="+", default=list(prompts.KINDS))
    parser.add_argument("--threads", type=int, default=1, help="of each replica's model")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    lines = [*_head(options)]
    print("\n".join(lines), flush=True)
    for part in options.only:
        for line in _PARTS[part](options.rounds, options.seconds, options.kinds, options.threads):
            print(line, flush=True)
            lines.append(line)
    if options.out:
        options.out.write_text("\n".join(lines) + "\n")


def _head(options: argparse.Namespace) -> Iterator[str]:
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers", "tokenizers", "ray", "grpcio"))
    yield "# What a decision costs beyond its model\n"
    yield f"`.venv/bin/python -m benchmarks.decisions {shlex.join(sys.argv[1:])}".rstrip() + "`\n"
    yield (
        f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, {platform.machine()}, load at the start {os.getloadavg()[0]:.1f}; "
        f"Python {platform.python_version()}, {packages}."
    )
    yield (
        f"Medians of {options.rounds} rounds of {options.seconds:g} s, in turns. One replica of each strategy, {options.threads} thread(s) "
        "of a model; decision cache and embedding cache off. The load generator is a process of its own on the same cores. CPU is in "
        "milliseconds for a prompt: the embedder's own, and the whole product's (gateway, controller, all of Ray)."
    )


if __name__ == "__main__":
    main()
