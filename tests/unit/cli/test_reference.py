"""docs/command.md has every command, option and exit code."""

from __future__ import annotations

import re
from pathlib import Path

from pointsman.cli import exits

DOCUMENT = Path(__file__).parents[3] / "docs" / "command.md"


def test_every_command_answers_in_json_too() -> None:
    """By an option of its own, or one that is passed on to the checkout's scorers."""
    sections = re.split(r"^### ", DOCUMENT.read_text(), flags=re.MULTILINE)[1:]
    without = [each.splitlines()[0] for each in sections if "--json" not in each]
    assert without == [
        *(f"pointsman {name}" for name in ("evaluate", "calibrate", "certify", "label")),
        "To reach a gateway",
        "To reach controllers",
    ]


def test_every_exit_code_is_explained() -> None:
    """As `pointsman.cli.exits` has them."""
    explained = re.findall(r"^\| (\d) \| \w", DOCUMENT.read_text(), re.MULTILINE)
    assert explained == [str(code) for code in (exits.OK, exits.FAILED, exits.USAGE, exits.UNREACHABLE)]
