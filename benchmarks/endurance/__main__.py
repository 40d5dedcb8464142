"""What the whole product holds out. On purpose, not in CI; each prints a Markdown table, or writes it (`--out`):

    .venv/bin/python -m benchmarks.endurance overload --seconds 300 --out benchmarks/overload.md
    .venv/bin/python -m benchmarks.endurance soak --seconds 3600 --out benchmarks/soak.md
    .venv/bin/python -m benchmarks.endurance streams --streams 2000 --seconds 30 --out benchmarks/streams.md
    .venv/bin/python -m benchmarks.endurance replicas --seconds 20 --out benchmarks/replicas.md
    .venv/bin/python -m benchmarks.endurance idle --seconds 60 --out benchmarks/idle.md

Every process is on this machine, the generator of the load among them: it takes CPU from what is measured. Leave the machine alone.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from benchmarks.endurance import idle, overload, replicas, soak, streams
from benchmarks.endurance.heading import heading


def main() -> None:
    """Measures one thing and writes its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--out", type=Path)
    kinds = parser.add_subparsers(required=True)
    for module in (overload, soak, streams, replicas, idle):
        kind = kinds.add_parser(module.__name__.rpartition(".")[2], parents=[shared], help=(module.__doc__ or "").partition("\n")[0])
        module.add_options(kind)
        kind.set_defaults(of=module)
    options = parser.parse_args()
    load = os.getloadavg()[0]
    lines = [*heading(options.of.TITLE, load), *options.of.measured(options)]
    text = "\n".join(lines).rstrip() + "\n"
    if options.out:
        options.out.write_text(text)
    else:
        print(text)


if __name__ == "__main__":
    main()
