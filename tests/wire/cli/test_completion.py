"""Shell completion: bash runs it; of zsh and fish what they would run is asked for."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from tests.wire.cli.test_commands import pointsman_command

COMPLETED = """
source <(pointsman --show-completion bash)
COMP_WORDS=({words}); COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
_pointsman_completion pointsman
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty one; the shell is named, and not looked for among the parents."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("pointsman se", ["settings"]),
        ("pointsman settings s", ["show", "schema"]),
        ("pointsman compare --strong", ["--strong-share"]),
        ("pointsman loadtest s", ["sse", "stream"]),
        ("pointsman pin default r", ["release"]),
    ],
)
async def test_bash_is_offered_commands_options_and_values(home: Path, words: str, offered: list[str]) -> None:
    """By the script that --show-completion prints."""
    command = home / "pointsman"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m pointsman.cli "$@"\n')
    command.chmod(0o755)
    path = f"{home}:{os.environ['PATH']}"
    script = COMPLETED.format(words=words)
    process = await asyncio.create_subprocess_exec("bash", "-c", script, stdout=PIPE, stderr=PIPE, env={**os.environ, "PATH": path})
    out, err = await process.communicate()
    assert (out.decode().split(), err.decode()) == (offered, "")


@pytest.mark.parametrize("shell", ["zsh", "fish"])
async def test_other_shells_are_offered_them_with_their_help(monkeypatch: pytest.MonkeyPatch, shell: str) -> None:
    """As their scripts ask for it."""
    assert "_POINTSMAN_COMPLETE" in (await pointsman_command("--show-completion", shell)).out
    monkeypatch.setenv("_POINTSMAN_COMPLETE", f"complete_{shell}")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", "pointsman do")
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
    done = await pointsman_command()
    assert (done.code, "doctor" in done.out, "Look for what stands in the way" in done.out) == (0, True, True)


async def test_it_is_installed_where_the_shell_looks(home: Path) -> None:
    """In the home folder."""
    done = await pointsman_command("--install-completion", "bash")
    assert done.code == 0
    assert ".bash_completions/pointsman.sh" in (home / ".bashrc").read_text()
    assert "_pointsman_completion" in (home / ".bash_completions" / "pointsman.sh").read_text()
