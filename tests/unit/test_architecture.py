"""Rules that import contracts can't say."""

from __future__ import annotations

import re
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_SOURCES = [
    path
    for folder in ("pointsman", "gateway", "controller", "scorers", "deploy", "docs")
    for path in (_ROOT / folder).rglob("*.py")
    if "_pb2" not in path.name
]


def _matching(pattern: str) -> set[str]:
    return {str(path.relative_to(_ROOT)) for path in _SOURCES if re.search(pattern, path.read_text())}


def test_the_environment_is_read_in_one_module() -> None:
    """scorers/serve.py only writes it, for the processes that Ray starts."""
    assert _matching(r"os\.environ|getenv") == {"pointsman/runtime/settings_file.py", "scorers/serve.py"}
    assert not re.search(r"os\.environ(\.get|\[)", (_ROOT / "scorers/serve.py").read_text())


def test_every_module_says_what_it_is_for() -> None:
    """In its first lines."""
    assert [str(path) for path in _SOURCES if not path.read_text().startswith(('"""', "#!"))] == []


def test_nothing_names_the_machine_it_was_made_on() -> None:
    """No home folder in any source."""
    assert _matching(r"/root/|/home/|/work/") == set()
