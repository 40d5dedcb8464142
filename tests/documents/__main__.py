"""`python -m tests.documents [--only docs/api.md …]`: types what README and docs/ say, in a checkout of its own, before a running service.

The service has the default ports, real scorers (mf, bert, random) and a backend that answers at once. Exit code 0 where everything ran.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pointsman.client import Client
from tests.documents.blocks import ROOT, Block, blocks
from tests.documents.checks import CHECKS
from tests.documents.folder import checkout, prompts, settings
from tests.documents.typed import typed
from tests.support.product import free_ports, running_product


def main() -> None:
    """Prints a line for each block, and the sums."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", default=[], metavar="FILE")
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name, _service(Path(name)):
        for block in blocks():
            if not options.only or block.file in options.only:
                counts[_told(block, Path(name))] += 1
    sys.stdout.write("\n" + ", ".join(f"{count} {what}" for what, count in sorted(counts.items())) + "\n")
    sys.exit(1 if counts["failed"] else 0)


def _told(block: Block, folder: Path) -> str:
    begun = time.monotonic()
    outcome, why = _outcome(block, folder)
    sys.stdout.write(f"{block.name} {block.language}: {outcome} {why or f'{time.monotonic() - begun:.1f} s'}\n")
    sys.stdout.flush()
    return outcome


def _outcome(block: Block, folder: Path) -> tuple[str, str]:
    if block.not_run or block.run_by:
        return ("not run", block.not_run) if block.not_run else ("run by another test", block.run_by)
    if check := CHECKS.get(block.language):
        check(block)
        return ("a drawing", "-") if block.language == "text" else ("checked", "")
    done = typed(block, folder)
    if done.returncode:
        return "failed", f"({done.returncode})\n{block.text}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return "ran", ""


@contextmanager
def _service(folder: Path) -> Iterator[None]:
    """`pointsman up` on its default ports, ready."""
    checkout(folder)
    [port] = free_ports(1)
    backend = subprocess.Popen([sys.executable, "-m", "benchmarks.proxies.backend", str(port)], cwd=ROOT)
    try:
        with running_product(folder, **settings(port, folder)) as product:
            with Client(product.grpc) as client:  # recent traffic, which a command calibrates on
                client.route_batch(list(prompts()), model="router-mf-0.5")
            yield
    finally:
        backend.terminate()
        backend.wait(10)


if __name__ == "__main__":
    main()
