"""A run of tests in which a prompt or a key is logged fails, whatever the tests themselves say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.canary import CANARY
from tests.support.product import ROOT

_TESTS = """
import logging, subprocess, sys
import structlog
from tests.support.canary import keep

# Put together here, so that no report of the file around it holds it.
WORD = "can" + "ary"

def test_event():
    structlog.get_logger().info("said", prompt="1 event " + WORD)

def test_swallowed(capsys):
    structlog.get_logger().info("2 swallowed " + WORD)
    capsys.readouterr()

def test_logging():
    logging.getLogger("x").warning("3 logging " + WORD)

def test_process():
    program = f"import sys; print('4 process {WORD}', file=sys.stderr)"
    subprocess.run([sys.executable, "-c", program], stderr=subprocess.PIPE, check=True)

def test_process_of_a_process():
    inner = f"import sys; sys.stderr.write('5 inner {WORD}')"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}], stderr=subprocess.DEVNULL)"
    subprocess.run([sys.executable, "-c", outer], stderr=subprocess.PIPE, check=True)

def test_decision_log(tmp_path):
    (tmp_path / "decisions.jsonl").write_text("6 decision " + WORD)

def test_metrics():
    keep("metrics", "7 metrics " + WORD)
"""
_CLEAN = """
import structlog

def test_it():
    prompt = "can" + "ary"
    structlog.get_logger().info("said", length=len(prompt))
"""
_CONFTEST = """
from tests.support import leaks

def pytest_configure(config):
    leaks.register(config)
"""


SPREAD = pytest.mark.parametrize("spread", [[], ["-p", "xdist", "-n", "2"]], ids=["one process", "two"])


def _run(folder: Path, tests: str, spread: list[str]) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text(_CONFTEST)
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_inner.py").write_text(tests)
    command = [sys.executable, "-m", "pytest", "--rootdir", str(folder), f"--basetemp={folder / 'inner'}", *spread, str(folder)]
    alone = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(command, cwd=ROOT, env=alone, capture_output=True, text=True)


@SPREAD
def test_a_leak_fails_the_run_wherever_it_goes_and_is_not_repeated(tmp_path: Path, spread: list[str]) -> None:
    """Though every test of it passes."""
    done = _run(tmp_path, _TESTS, spread)
    for log in tmp_path.rglob("decisions.jsonl"):
        log.unlink()  # or this run would find it as well
    assert "7 passed" in done.stdout
    assert done.returncode == 1
    listed = done.stdout.partition("prompts or keys leaked")[2]
    for way in ("1 event ", "2 swallowed ", "3 logging ", "4 process ", "5 inner ", "6 decision ", "7 metrics "):
        assert f"{way}…" in listed
    assert CANARY not in done.stdout.replace(f"with a {CANARY}", "")


@SPREAD
def test_a_run_without_a_leak_passes_and_says_how_much_it_looked_at(tmp_path: Path, spread: list[str]) -> None:
    """What isn't logged may be anything."""
    done = _run(tmp_path, _CLEAN, spread)
    assert done.returncode == 0, done.stdout
    assert "lines of logs and metrics, 0 with a " in done.stdout
