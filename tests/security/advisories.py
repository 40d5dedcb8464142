"""`python -m tests.security.advisories`: asks pip-audit about every package that is installed or pinned, and says what it couldn't ask.

Fails on a known vulnerability that requirements/ignored-advisories.txt doesn't list with a reason. An advisory service that can't be
reached is no failure, and no clean result either.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
IGNORED: Final = ROOT / "requirements/ignored-advisories.txt"
_SERVICES: Final = ("pypi", "osv")
_PROBES: Final = 3
_PROBE_S: Final = 8
"""For these packages of each service: a network that swallows everything costs twice this."""
_WHOLE_S: Final = 240
_OURS: Final = "pointsman"
Ask = Callable[[str, Sequence[str], float], Mapping[str, Any] | None]
"""Service, pins and seconds to pip-audit's report; None where there's none."""


@dataclass
class Audit:
    """What was asked and what was said."""

    packages: list[str]
    audited: int = 0
    vulnerable: list[tuple[str, list[str]]] = field(default_factory=list)
    """Package, and all names of the advisory."""
    silent: list[str] = field(default_factory=list)
    """Why a service answered for nothing."""


def packages(installed: Iterable[tuple[str, str]], requirements: Iterable[str]) -> list[str]:
    """`name==version` of all, each once; a build's own mark (`2.13.0+cpu`) is no version that an advisory knows."""
    pinned = (match.groups() for line in requirements if (match := re.match(r"([A-Za-z0-9._-]+)==([^\s;]+)", line)))
    named = {(re.sub(r"[-_.]+", "-", name).lower(), version.partition("+")[0]) for name, version in (*installed, *pinned)}
    return sorted(f"{name}=={version}" for name, version in named if name != _OURS)


def audit(wanted: list[str], ask: Ask) -> Audit:
    """Of the first service that knows a package at all."""
    result = Audit(wanted)
    for service in _SERVICES:
        probe = ask(service, wanted[:: -(-len(wanted) // _PROBES)], _PROBE_S)
        if probe is None:
            result.silent.append(f"{service} can't be reached")
        elif len(_skipped(probe)) == len(probe["dependencies"]):
            result.silent.append(f"{service} knows none of them")
        elif (report := ask(service, wanted, _WHOLE_S)) is None:
            result.silent.append(f"{service} broke off")
        else:
            result.audited = len(report["dependencies"]) - len(_skipped(report))
            result.vulnerable = [
                (f"{each['name']} {each['version']}", [one["id"], *one.get("aliases", [])])
                for each in report["dependencies"]
                for one in each.get("vulns", [])
            ]
            break
    return result


def ignored(text: str) -> dict[str, str]:
    """Advisory to reason. Raises `ValueError` for one without."""
    found: dict[str, str] = {}
    for line in filter(None, (line.partition("#")[0].strip() for line in text.splitlines())):
        advisory, _, reason = line.partition(" ")
        if not reason.strip():
            raise ValueError(f"{IGNORED.name}: {advisory} has no reason")
        found[advisory] = reason.strip()
    return found


def told(result: Audit, excused: Mapping[str, str]) -> tuple[int, list[str]]:
    """The exit code, and what to print."""
    count, missing = len(result.packages), len(result.packages) - result.audited
    if not result.audited:
        return 0, [f"pip-audit: not audited: {count} packages ({'; '.join(result.silent)}). Nothing is known of their vulnerabilities."]
    bad = [each for each in result.vulnerable if not excused.keys() & set(each[1])]
    lines = [f"{package}: {' = '.join(names)}, which {IGNORED.name} doesn't excuse" for package, names in bad]
    rest = f", not audited: {missing} packages (unknown to the service)" if missing else ""
    excuses = len(result.vulnerable) - len(bad)
    lines.append(f"pip-audit: audited {result.audited} of {count} packages: {len(bad)} vulnerabilities, {excuses} excused{rest}")
    return 1 if bad else 0, lines


def _skipped(report: Mapping[str, Any]) -> list[str]:
    return [each["name"] for each in report["dependencies"] if "skip_reason" in each]


def ask_pip_audit(service: str, wanted: Sequence[str], seconds: float) -> Mapping[str, Any] | None:
    """Its report on the pins, without resolving or installing anything."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(wanted))
        file.flush()
        command = [sys.executable, "-m", "pip_audit", "--vulnerability-service", service, "--requirement", file.name, "--no-deps"]
        command += ["--disable-pip", "--format", "json", "--progress-spinner", "off", "--timeout", "5"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL)
            report: Mapping[str, Any] = json.loads(done.stdout)
        except (subprocess.TimeoutExpired, json.JSONDecodeError):
            return None
    return report


def main() -> int:
    """1 for a vulnerability that isn't excused."""
    files = [path for path in (ROOT / "requirements").glob("*.txt") if path != IGNORED]
    pins = [line for path in files for line in path.read_text().splitlines()]
    wanted = packages([(each.name, each.version) for each in distributions()], pins)
    code, lines = told(audit(wanted, ask_pip_audit), ignored(IGNORED.read_text()))
    sys.stdout.write("\n".join(lines) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
