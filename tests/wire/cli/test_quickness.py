"""What a command doesn't need it doesn't import."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from tests.wire.cli.doctor.test_doctor import written

NEVER = {"torch", "ray", "numpy", "transformers", "pandas", "scipy", "matplotlib", "aiohttp", "starlette", "uvicorn", "redis"}
"""What makes a command slow, and is the services' own."""
LATE = {*NEVER, "grpc", "google", "pydantic_settings", "yaml", "asyncio"}
"""And what only a command that asks or reads something needs."""
_PROGRAM = """
import sys
from pointsman.cli import main
try:
    main()
except SystemExit:
    pass
sys.stderr.write(" ".join(sorted({name.partition(".")[0] for name in sys.modules})))
"""


async def imported(*arguments: str) -> set[str]:
    """The packages that `pointsman …` has imported by its end."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _PROGRAM, *arguments, stdout=PIPE, stderr=PIPE)
    _, err = await process.communicate()
    return set(err.decode().splitlines()[-1].split())


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["up", "--help"], ["chat", "--help"], ["doctor", "--help"]], ids=" ".join)
async def test_help_is_quick(arguments: list[str]) -> None:
    """It is the command's own few modules, typer and rich."""
    assert await imported(*arguments) & LATE == set()


async def test_a_command_that_needs_no_model_imports_none(tmp_path: Path) -> None:
    """Neither do those that look at what needs one."""
    settings = ["--settings", str(written(tmp_path))]
    for arguments in (["doctor", *settings], ["settings", "check", *settings], ["route", "x", "--address", "127.0.0.1:1"]):
        assert await imported(*arguments) & NEVER == set()
