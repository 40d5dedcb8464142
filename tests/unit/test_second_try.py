"""A second try is shown, few are allowed, and unit tests have none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.product import ROOT
from tests.support.second_try import MOST

_CONFTEST = """
from tests.support.second_try import SecondTries

def pytest_configure(config):
    config.pluginmanager.register(SecondTries(), "second tries")
"""
_UNSTEADY = """
import pytest
TRIES = {}

@pytest.mark.parametrize("number", range(%d))
def test_unsteady(number):
    TRIES[number] = TRIES.get(number, 0) + 1
    assert TRIES[number] > 1, f"the machine's pause {number}"
"""
_BROKEN = """
def test_broken():
    assert False, "always"
"""


_SPREAD = pytest.mark.parametrize("processes", [0, 2])


def _run(folder: Path, where: str, tests: str, processes: int = 0) -> tuple[int, str]:
    (folder / where).mkdir(parents=True)
    (folder / "conftest.py").write_text(_CONFTEST)
    (folder / where / "test_it.py").write_text(tests)
    options = ["-p", "no:schemathesis", "--reruns", "1", "-n", str(processes)]
    command = [sys.executable, "-m", "pytest", *options, "--rootdir", str(folder), str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, timeout=120, check=False)
    return ended.returncode, ended.stdout


@_SPREAD
def test_what_failed_first_is_printed_whole(tmp_path: Path, processes: int) -> None:
    code, out = _run(tmp_path, "tests/wire", _UNSTEADY % 1, processes)
    assert code == 0, out
    assert "first try of tests/wire/test_it.py::test_unsteady[0]" in out
    assert "the machine's pause 0" in out
    assert "1 passed, 1 rerun" in out


@_SPREAD
def test_more_than_a_few_fail_the_run(tmp_path: Path, processes: int) -> None:
    code, out = _run(tmp_path, "tests/wire", _UNSTEADY % (MOST + 1), processes)
    assert code == 1, out
    assert f"{MOST + 1} tests needed one, and {MOST} may" in out


@pytest.mark.parametrize(("where", "tests"), [("tests/unit", _UNSTEADY % 1), ("tests/wire", _BROKEN)])
def test_a_unit_test_has_one_try_and_what_is_broken_stays_so(tmp_path: Path, where: str, tests: str) -> None:
    code, out = _run(tmp_path, where, tests)
    assert code == 1, out
    assert "1 failed" in out
