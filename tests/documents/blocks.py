"""The fenced blocks of README and docs/, each with its language, and what stands above it where it isn't run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
_FENCE: Final = re.compile(
    r"^(?P<indent> *)(?:<!-- (?P<how>not run|run by): (?P<why>[^\n]+) -->\n *)?```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Block:
    """`not_run` says why it isn't run, `run_by` which test runs it; both are empty for what `make test-docs` runs."""

    file: str
    line: int
    language: str
    text: str
    not_run: str
    run_by: str

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.file}:{self.line}"


def blocks() -> Iterator[Block]:
    """All of them, in order."""
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        content = path.read_text()
        for found in _FENCE.finditer(content):
            why = {found["how"]: found["why"] or ""}
            indent = len(found["indent"])
            text = "".join(line[indent:] if line.strip() else line for line in found["text"].splitlines(keepends=True))
            line = content.count("\n", 0, found.start("language")) + 1
            file = str(path.relative_to(ROOT))
            yield Block(file, line, found["language"], text, why.get("not run", ""), why.get("run by", ""))
