"""What the audit says of what it could ask, and of what it couldn't."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.security.advisories import Ask, audit, ignored, packages, told

_WANTED = [f"p{number:02}==1.0" for number in range(10)]


def answering(vulnerable: Mapping[str, str], unknown: Sequence[str] = ()) -> Ask:
    """A service that knows these advisories, and nothing of the unknown packages."""

    def ask(service: str, wanted: Sequence[str], seconds: float) -> Mapping[str, Any]:
        found: list[dict[str, Any]] = []
        for name, version in (pin.split("==") for pin in wanted):
            if name in unknown:
                found.append({"name": name, "skip_reason": "not found"})
            else:
                found.append(
                    {
                        "name": name,
                        "version": version,
                        "vulns": [{"id": vulnerable[name], "aliases": [f"CVE-{name}"]}] if name in vulnerable else [],
                    }
                )
        return {"dependencies": found}

    return ask


def test_packages_are_counted_once_by_their_plain_names_and_versions() -> None:
    """Installed or pinned; a build's mark is left out, and so are we."""
    installed = [("Torch", "2.13.0+cpu"), ("zope.interface", "1.0"), ("pointsman", "1.0")]
    lines = ["# why", "torch==2.13.0", "zope_interface==1.0 --hash=sha256:00", "numpy==2.0 ; python_version > '3'"]
    assert packages(installed, lines) == ["numpy==2.0", "torch==2.13.0", "zope-interface==1.0"]


def test_services_that_cannot_be_reached_are_no_failure_and_no_clean_result() -> None:
    """It counts what wasn't audited and says why."""
    code, lines = told(audit(_WANTED, lambda *_: None), {})
    assert code == 0
    assert "not audited: 10 packages (pypi can't be reached; osv can't be reached)" in lines[0]
    assert "clean" not in lines[0]


def test_a_service_that_knows_no_package_is_passed_over() -> None:
    """As a mirror that has no advisories."""
    asked: list[str] = []

    def ask(service: str, wanted: Sequence[str], seconds: float) -> Mapping[str, Any] | None:
        asked.append(service)
        return answering({}, [pin.split("==")[0] for pin in _WANTED] if service == "pypi" else ["p03"])(service, wanted, seconds)

    code, lines = told(audit(_WANTED, ask), {})
    assert asked == ["pypi", "osv", "osv"]
    assert (code, lines) == (
        0,
        ["pip-audit: audited 9 of 10 packages: 0 vulnerabilities, 0 excused, not audited: 1 packages (unknown to the service)"],
    )


def test_a_service_that_breaks_off_has_said_nothing() -> None:
    """The first few answers count for nothing."""
    code, lines = told(audit(_WANTED, lambda service, wanted, s: answering({})(service, wanted, s) if len(wanted) < 10 else None), {})
    assert code == 0
    assert "pypi broke off" in lines[0]


def test_a_vulnerability_fails_unless_it_is_excused() -> None:
    """By its own name and with a reason."""
    result = audit(_WANTED, answering({"p01": "PYSEC-1", "p02": "PYSEC-2"}))
    code, lines = told(result, ignored("# ours\nPYSEC-2 we never parse XML\n"))
    assert code == 1
    assert lines[0] == "p01 1.0: PYSEC-1 = CVE-p01, which ignored-advisories.txt doesn't excuse"
    assert "audited 10 of 10 packages: 1 vulnerabilities, 1 excused" in lines[-1]
    assert told(result, {"CVE-p01": "x", "PYSEC-2": "x"})[0] == 0


def test_an_excuse_without_a_reason_is_refused() -> None:
    """The list is read by people too."""
    with pytest.raises(ValueError, match="PYSEC-2 has no reason"):
        ignored("PYSEC-2\n")
