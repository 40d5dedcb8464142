"""What a command doesn't need it doesn't import."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from tests.support.certificates import Authority
from tests.wire.cli.doctor.test_doctor import written

NEVER = {"torch", "ray", "numpy", "transformers", "pandas", "scipy", "matplotlib", "aiohttp", "starlette", "uvicorn", "redis"}
"""What makes a command slow, and is the services' own."""
LATE = {*NEVER, "grpc", "google", "pydantic_settings", "yaml", "asyncio"}
"""And what only a command that asks or reads something needs."""
_PROGRAM = """
import sys
for absent in filter(None, sys.argv.pop(1).split()):
    sys.modules[absent] = None  # as if it weren't installed
from pointsman.cli import main
try:
    main()
except SystemExit:
    pass
sys.stderr.write(" ".join(sorted({name.partition(".")[0] for name in sys.modules})))
"""


_NOT_THE_COMMANDS = "grpc_health grpc_reflection grpc_status structlog prometheus_client uvloop orjson opentelemetry cryptography multidict"


async def run(*arguments: str, absent: str = "") -> tuple[str, set[str]]:
    """What `pointsman …` shows, and the packages that it has imported by its end."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _PROGRAM, absent, *arguments, stdout=PIPE, stderr=PIPE)
    out, err = await process.communicate()
    *said, names = err.decode().splitlines()
    return out.decode() + "\n".join(said), set(names.split())


async def imported(*arguments: str) -> set[str]:
    """The packages alone."""
    return (await run(*arguments))[1]


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["up", "--help"], ["chat", "--help"], ["doctor", "--help"]], ids=" ".join)
async def test_help_is_quick(arguments: list[str]) -> None:
    """It is the command's own few modules, typer and rich."""
    assert await imported(*arguments) & LATE == set()


async def test_a_command_that_needs_no_model_imports_none(tmp_path: Path) -> None:
    """Neither do those that look at what needs one."""
    settings = ["--settings", str(written(tmp_path))]
    for arguments in (["doctor", *settings], ["settings", "check", *settings], ["route", "x", "--address", "127.0.0.1:1"]):
        assert await imported(*arguments) & NEVER == set()


async def test_doctor_needs_the_commands_own_packages_alone(tmp_path: Path) -> None:
    """What it can't look at without others it skips, and says so."""
    authority = Authority(tmp_path)
    cert_file, key_file = authority.write(authority.issue())
    file = written(tmp_path)
    text = file.read_text().replace("gateway:\n", f"gateway:\n  tls: {{cert_file: {cert_file}, key_file: {key_file}}}\n")
    file.write_text(text)
    said, _ = await run("doctor", "--settings", str(file), absent=" ".join([*NEVER, _NOT_THE_COMMANDS]))
    assert "isn't looked at" in said
    assert "check itself failed" not in said
    assert "Traceback" not in said
