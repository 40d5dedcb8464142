"""Whether replicas follow load. On purpose, not in CI; about seven minutes; leave the machine alone meanwhile:

.venv/bin/python -m benchmarks.scaling --out benchmarks/scaling.md      # and benchmarks/scaling.svg beside it
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import uvloop

from benchmarks.endurance.heading import heading
from benchmarks.scaling.report import draw, table
from benchmarks.scaling.surge import LONGEST, Course, surge


def main() -> None:
    """Measures, and writes table and picture."""
    options = _parser().parse_args()
    before = os.getloadavg()[0]
    course = Course(options.low, options.high, options.before, options.ramp, options.stay, options.after)
    scale = {
        "min_replicas": options.least,
        "max_replicas": options.most,
        "target_busy": options.target_busy,
        "downscale_delay_s": options.down,
    }
    with tempfile.TemporaryDirectory() as work:
        seen = uvloop.run(surge(course, options.steady, scale, options.batch_ms, Path(work)))
    lines = heading("Replicas that follow load", before, "benchmarks.scaling")
    text = "\n".join([*lines, *table(seen, options)]) + "\n"
    print(text)
    if options.out:
        options.out.write_text(text)
        draw(seen, LONGEST / (options.batch_ms / 1000), options.out.with_suffix(".svg"))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--low", type=float, default=60, help="decisions a second before and after the surge")
    parser.add_argument("--high", type=float, default=480, help="at its height")
    parser.add_argument("--steady", type=float, default=15, help="of the other strategy")
    parser.add_argument("--before", type=float, default=60, help="seconds")
    parser.add_argument("--ramp", type=float, default=60, help="seconds in which it rises")
    parser.add_argument("--stay", type=float, default=120, help="seconds at its height")
    parser.add_argument("--after", type=float, default=150, help="seconds")
    parser.add_argument("--batch-ms", type=float, default=100, help="of each batch of at most 16, whatever is in it")
    parser.add_argument("--least", type=int, default=2, help="replicas")
    parser.add_argument("--most", type=int, default=8, help="replicas")
    parser.add_argument("--target-busy", type=float, default=0.7)
    parser.add_argument("--down", type=float, default=60, help="downscale_delay_s")
    parser.add_argument("--out", type=Path)
    return parser


if __name__ == "__main__":
    main()
