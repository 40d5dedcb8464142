"""Commands that documents name are there."""

from __future__ import annotations

import re
from typing import Any

import pytest
import typer.main

from pointsman.cli.app import build_app
from tests.documents.blocks import ROOT
from tests.documents.markdown import code, markdown_files

_MAKE = re.compile(r"(?:^|[ (;&])make ([a-z][a-z-]*)")
# Not a package that is imported, nor kubectl's namespace.
_POINTSMAN = re.compile(r"(?<![\w-])(?<!from )(?<!-n )(?<!namespace )pointsman ([a-z]+)(?: ([a-z]+))?")


def _targets() -> set[str]:
    """Of the Makefile; `%` stands for any word."""
    return set(re.findall(r"^([a-z][a-z%-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("file", markdown_files())
def test_every_target_of_make_is_in_the_makefile(file: str) -> None:
    """Where code of a document says `make something`."""
    patterns = [re.compile(target.replace("%", "[a-z-]+")) for target in _targets()]
    named = {name for line in code(file) for name in _MAKE.findall(line.partition("# ")[0])}
    assert {name for name in named if not any(pattern.fullmatch(name) for pattern in patterns)} == set()


@pytest.mark.parametrize("file", markdown_files())
def test_every_command_of_pointsman_is_there(file: str) -> None:
    """With the one below it, where it has some."""
    root: Any = typer.main.get_command(build_app())
    assert [said for line in code(file) for said in _POINTSMAN.findall(line) if not _is_command(root, *said)] == []


def _is_command(root: Any, name: str, below: str) -> bool:
    command = root.commands.get(name)
    return command is not None and (not below or below in getattr(command, "commands", {below}))


def test_make_help_explains_every_target() -> None:
    """But the parts of others."""
    text = (ROOT / "Makefile").read_text()
    explained = set(re.findall(r"^([a-z-]+):.*## ", text, re.MULTILINE))
    assert set(re.findall(r"^\.PHONY: (\S+)", text, re.MULTILINE)) - explained == {"image-%", "bandit", "secrets", "advisories"}
