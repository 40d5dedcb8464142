"""What a caller installs: the client works where only grpcio and protobuf are."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from setuptools import find_packages  # type: ignore[import-untyped]

import pointsman

ROOT = Path(pointsman.__file__).parent.parent
BASE = ("grpc", "google.protobuf", "google._upb", "typing_extensions")  # grpcio itself needs the last one


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site-packages folder with grpcio, protobuf and pointsman, and nothing else."""
    for package in ("pointsman", *BASE):
        spec = importlib.util.find_spec(package)
        assert spec
        found = Path(next(iter(spec.submodule_search_locations))) if spec.submodule_search_locations else Path(str(spec.origin))
        target = tmp_path / package.replace(".", "/")
        target.parent.mkdir(exist_ok=True)
        (target.with_suffix(found.suffix) if found.is_file() else target).symlink_to(found)
    return tmp_path


def run_in(site: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Runs the code with the standard library and `site` alone."""
    code = f"import sys; sys.path.insert(0, {str(site)!r})\n{code}"
    return subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, timeout=60, check=False)


def test_the_client_needs_grpcio_and_protobuf_alone(site: Path) -> None:
    """It imports, and says in its own words that nobody answers."""
    done = run_in(
        site,
        "from pointsman.client import Client, Unreachable\n"
        "try:\n    Client('127.0.0.1:1').route('x', timeout=5)\n"
        "except Unreachable as error:\n    print(error.code.name)\n",
    )
    assert (done.stdout, done.stderr, done.returncode) == ("UNAVAILABLE\n", "", 0)


def test_the_command_without_its_extra_names_it(site: Path) -> None:
    """One sentence, exit code 1, no traceback."""
    done = run_in(site, "from pointsman.cli import main\nsys.exit(main())")
    assert (done.stdout, done.stderr, done.returncode) == (
        "",
        "the command needs its extra: pip install '.[cli]', in a checkout of Pointsman\n",
        1,
    )


def test_the_wheel_ships_pointsman_alone_and_needs_two_packages() -> None:
    """A caller's site-packages gets no folder called gateway, and its base install is grpcio and protobuf."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = find_packages(str(ROOT), include=project["tool"]["setuptools"]["packages"]["find"]["include"])
    assert packages
    assert {package.partition(".")[0] for package in packages} == {"pointsman"}
    assert sorted(need.partition(">")[0] for need in project["project"]["dependencies"]) == ["grpcio", "protobuf"]


def test_help_imports_nothing_heavy() -> None:
    """`pointsman --help` answers at once: neither grpc nor Ray nor torch nor the settings are imported for it."""
    code = (
        "import sys, pointsman.cli\nsys.argv = ['pointsman', '--help']\n"
        "try:\n    pointsman.cli.main()\nexcept SystemExit: pass\n"
        "print(sorted({'grpc', 'google.protobuf', 'ray', 'torch', 'pydantic', 'numpy'} & sys.modules.keys()), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert "strategies" in done.stdout
    assert done.stderr == "[]\n"
