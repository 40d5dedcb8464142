"""mf's embedder by itself, in a process of its own: started by the benchmark, told over standard input when to run and for how long."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from pointsman.loadtest.samples import percentiles

SIZES: Final = (8, 16, 32, 64)
"""Texts given to the embedder at once, where its throughput is asked for; it splits them by length as it likes."""


@dataclass(frozen=True, slots=True)
class Times:
    """Of the embedder alone."""

    p50_ms: float
    """Of a batch."""
    p99_ms: float
    per_second: float
    """Texts."""
    cpu_ms: float
    """A text."""


class Alone:
    """The child, from the other end."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, at_once: int, seconds: float) -> Times:
        """So many texts at once, for so long."""
        return Times(**self._ask({"at_once": at_once, "seconds": seconds}))

    def _ask(self, what: dict[str, float]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


@contextlib.contextmanager
def embedder_alone(prompts: Path, threads: int) -> Iterator[Alone]:
    """The embedder over the file's prompts, with as many threads as a replica gives it."""
    command = [sys.executable, "-m", "benchmarks.decisions.alone", str(prompts), str(threads)]
    # As in a replica: its tokenizer has no threads of its own.
    environment = {**os.environ, "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": str(threads)}
    process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Alone(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(30)


def main(prompts: Path, threads: int) -> None:
    """Answers until standard input ends."""
    from scorers.embedding.embedder import DEFAULT_EMBEDDER, build_embedder

    embedder = build_embedder(DEFAULT_EMBEDDER, threads=threads)
    texts = prompts.read_text().splitlines()
    embedder.embed(texts[:64])
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(asdict(_timed(embedder, texts, int(asked["at_once"]), asked["seconds"]))), flush=True)


def _timed(embedder: Any, texts: Sequence[str], at_once: int, seconds: float) -> Times:
    took: list[float] = []
    begun, busy = time.perf_counter(), time.process_time()
    while (now := time.perf_counter()) < begun + seconds:
        start = len(took) * at_once % len(texts)
        embedder.embed([texts[(start + i) % len(texts)] for i in range(at_once)])
        took.append(time.perf_counter() - now)
    texts_done, busy = len(took) * at_once, time.process_time() - busy
    shown = percentiles(took)
    return Times(shown["p50"], shown["p99"], texts_done / sum(took), 1000 * busy / texts_done)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
