"""What doctor finds on this machine: packages, room, certificates, ports."""

from __future__ import annotations

import shutil
import socket
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace

import pytest

from pointsman.cli.doctor import installation, machine
from pointsman.cli.doctor.certificates import certificates
from pointsman.cli.doctor.finding import Finding, State
from pointsman.cli.doctor.services import port_findings
from pointsman.cli.services import NoCheckout
from pointsman.runtime.settings import Settings
from tests.support.certificates import Authority, Issued


def of(found: list[Finding], check: str) -> Finding:
    """The check's one finding."""
    [finding] = [each for each in found if each.check == check]
    return finding


def test_a_package_that_is_missing_or_of_another_version_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing is a problem, another version than the pinned one a warning."""

    def version(name: str) -> str:
        if name == "ray":
            raise PackageNotFoundError(name)
        return "0.0.1"

    monkeypatch.setattr(installation, "version", version)
    found = installation.installation()
    assert Finding("packages of scorers", State.PROBLEM, "ray isn't installed", "make install, in the checkout") in found
    assert any(each.state is State.WARNING and "starlette 0.0.1 is installed" in each.said for each in found)


def test_without_a_checkout_no_service_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command alone asks services elsewhere."""

    def nowhere() -> Path:
        raise NoCheckout("none")

    monkeypatch.setattr(installation, "checkout_root", nowhere)
    assert [each.state for each in installation.installation()] == [State.OK, State.SKIPPED]


def test_too_little_room_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of shared memory a problem, on the disk a warning."""
    room = SimpleNamespace(total=64 * 2**20, used=60 * 2**20, free=4 * 2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: room)
    settings = Settings.model_validate({"records_dir": str(tmp_path)})
    found = machine.machine(settings)
    assert of(found, "disk").state is State.WARNING
    assert of(found, "shared memory").state is State.PROBLEM
    assert "--shm-size" in of(found, "shared memory").advice
    assert of(found, "records_dir").state is State.OK


def test_a_records_dir_that_is_a_file_is_a_problem(tmp_path: Path) -> None:
    """And one that isn't there yet isn't."""
    (tmp_path / "file").write_text("")
    for name, state in (("file", State.PROBLEM), ("none", State.OK)):
        assert of(machine.machine(Settings.model_validate({"records_dir": str(tmp_path / name)})), "records_dir").state is state


@pytest.mark.parametrize(("days", "state"), [(300, State.OK), (13, State.WARNING), (-1, State.PROBLEM)])
def test_a_certificate_that_ends_soon_is_told(tmp_path: Path, days: int, state: State) -> None:
    """Below 14 days a warning, past its end a problem."""
    authority = Authority(tmp_path)
    made = authority.ca.issue_cert("localhost", not_after=datetime.now(UTC) + timedelta(days=days))
    issued = Issued(b"".join(pem.bytes() for pem in made.cert_chain_pems), made.private_key_pem.bytes())
    cert_file, key_file = authority.write(issued)
    settings = Settings.model_validate({"gateway": {"tls": {"cert_file": str(cert_file), "key_file": str(key_file)}}})
    [finding] = certificates(settings)
    assert (finding.state, finding.said.startswith(f"gateway.tls: {cert_file}")) == (state, True)
    key_file.write_text("no key")
    assert certificates(settings)[0].state is State.PROBLEM


def test_a_port_that_another_holds_is_a_problem() -> None:
    """With what to change."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        found = port_findings(Settings.model_validate({"gateway": {"rest_port": port}}))
    [finding] = [each for each in found if each.state is State.PROBLEM and str(port) in each.said]
    assert finding.advice == f"end what holds {port}, or change gateway.rest_port"
