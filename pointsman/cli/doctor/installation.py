"""What is installed: Python, packages against the versions that the checkout pins. Nothing is imported for it."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from pointsman import __version__
from pointsman.cli.doctor.finding import Finding, ok, problem, skipped, warning
from pointsman.cli.services import NoCheckout, checkout_root

_INSTALL: Final = "make install, in the checkout"
_COMMAND: Final = ("grpcio", "protobuf", "pydantic", "pydantic-settings", "PyYAML", "typer", "rich", "psutil")
_SERVICES: Final[Mapping[str, tuple[str, ...]]] = {
    "gateway": ("starlette", "uvicorn", "limits", "redis", "structlog", "prometheus-client", "uvloop"),
    "controller": ("aiohttp", "structlog", "prometheus-client", "uvloop"),
    "scorers": ("ray", "torch", "transformers", "safetensors", "numpy"),
}


def installation() -> list[Finding]:
    """The command itself, then what each service needs where there is a checkout to run them from."""
    found = [ok("python", f"Python {platform.python_version()}, pointsman {__version__}")]
    try:
        root = checkout_root()
    except NoCheckout:
        return [*found, skipped("services", "no checkout is beside the command: it asks services that run elsewhere, and starts none")]
    pinned = _pinned(root / "requirements" / "constraints.txt")
    for service, packages in {"command": _COMMAND, **_SERVICES}.items():
        found += _packages(service, packages, pinned)
    return found


def _packages(service: str, packages: tuple[str, ...], pinned: Mapping[str, str]) -> Iterator[Finding]:
    check, there = f"packages of {service}", dict[str, str]()
    for name in packages:
        try:
            there[name] = version(name)
        except PackageNotFoundError:
            yield problem(check, f"{name} isn't installed", _INSTALL)
    others = {name: pinned[name.lower()] for name, have in there.items() if pinned.get(name.lower(), have) != have}
    for name, wanted in others.items():
        yield warning(check, f"{name} {there[name]} is installed; {wanted} is what was tested", _INSTALL)
    if len(there) == len(packages) and not others:
        yield ok(check, ", ".join(f"{name} {have}" for name, have in there.items()))


def _pinned(file: Path) -> dict[str, str]:
    """Lower-case names to versions; empty where there is no such file."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    return {name.lower(): wanted for name, _, wanted in (line.partition("==") for line in lines) if wanted}
