"""Which documents end in a reference, and what makes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from docs.generator import command, rest, rpc

_DOCS: Final = Path(__file__).parents[1]
_BEGIN: Final = "<!-- The rest is made by `make reference`. -->\n"
PAGES: Final[Mapping[Path, Callable[[], str]]] = {
    _DOCS / "command.md": command.reference,
    _DOCS / "reference-grpc.md": rpc.reference,
    _DOCS / "reference-rest.md": rest.reference,
}


def with_reference(text: str, reference: str) -> str:
    """The document with its reference in place of the old one; all before it stays."""
    return text.partition(_BEGIN)[0] + _BEGIN + "\n" + reference
