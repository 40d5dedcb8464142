"""A pytest plugin that fails the run where anything that operators see holds a canary.

It looks at what every process that tests start writes to standard error, at every event logged in this process, at what tests were captured
printing, at logs and decision logs in tests' folders, at the logs of Ray's workers, and at metrics. Never does it repeat what it found.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import structlog

from tests.support.canary import CANARY, FOLDER, carried

_TEE: Final = Path(__file__).parent / "tee"
_SHOWN: Final = 20


class Leaks:
    """Of one session."""

    def __init__(self, folder: Path, *, is_worker: bool = False) -> None:
        """`is_worker`: of xdist, so that another process tells what was found."""
        self._folder = folder
        self._is_worker = is_worker
        self._began = time.time()
        self._before = {name: os.environ.get(name) for name in (FOLDER, "PYTHONPATH")}
        self.found: list[str] = []
        self.lines = 0
        self.carried = 0

    def begin(self) -> None:
        """From now on, this process and those that it starts keep what they log."""
        os.environ[FOLDER] = str(self._folder)
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_TEE), self._before["PYTHONPATH"]]))
        structlog.configure(processors=[_kept, *structlog.get_config()["processors"]])

    def end(self) -> None:
        """The environment is as it was."""
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    def look(self, where: str, text: str) -> None:
        """Notes the lines with a canary."""
        for number, line in enumerate(text.splitlines(), 1):
            self.lines += 1
            if CANARY in line.lower():
                self.found.append(f"{where}:{number}: {line.lower().partition(CANARY)[0][-80:]}…")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """What the test was captured printing, and the processes that write to its standard error."""
        if self._is_worker:  # whose reports come again in the process that distributes
            return
        for title, text in report.sections:
            if title.startswith("Captured") and title.endswith(report.when or ""):  # the sections of earlier phases come again
                self.look(f"{report.nodeid} ({title})", text)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Looks at all that was kept, and fails the session where there is something."""
        self.look("events", "\n".join(_events))
        factory: Any = getattr(session.config, "_tmp_path_factory", None)
        base = factory._basetemp if factory else None
        for path in (*self._folder.iterdir(), *(_logs(base) if base else ()), *_rays_logs(self._began)):
            with contextlib.suppress(FileNotFoundError):  # another run on the machine may clear pytest's older folders away
                self.look(str(path), path.read_text(errors="replace"))
        if self.found and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        self.carried += carried()
        if self._is_worker:
            session.config.workeroutput["leaks"] = self.found, self.lines, self.carried  # type: ignore[attr-defined]

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Takes over what a worker of xdist found, unless it crashed; before the session finishes."""
        found, lines, came = getattr(node, "workeroutput", {}).get("leaks", ((), 0, 0))
        self.found += found
        self.lines += lines
        self.carried += came

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """How much was looked at; what was found, up to the canary."""
        if self.found:
            terminalreporter.section("prompts or keys leaked", red=True)
            for each in self.found[:_SHOWN]:
                terminalreporter.write_line(each)
        told = f"{self.lines:,} lines of logs and metrics, {len(self.found)} with a canary"
        terminalreporter.write_line(f"leaks: {told}; {self.carried:,} requests brought one to a backend or a scorer")


_events: list[str] = []


def _kept(logger: Any, method: str, event: Any) -> Any:
    """The first of structlog's processors. In memory: a test may have limited the size of this process's files."""
    _events.append(repr(event))
    return event


def _logs(base: Path) -> Iterator[Path]:
    for pattern in ("*.log*", "log", "decisions.jsonl*"):
        yield from (path for path in base.rglob(pattern) if path.is_file() and not path.is_symlink())


def _rays_logs(since: float) -> Iterable[Path]:
    folders = Path(tempfile.gettempdir()).glob(f"psm-{os.getuid()}-*/ray/session_*/logs")
    every = (path for folder in folders if not folder.parent.is_symlink() for path in folder.rglob("*"))
    return [path for path in every if path.is_file() and not path.is_symlink() and path.stat().st_mtime >= since]


def register(config: pytest.Config) -> None:
    """Begins to keep; once per session."""
    kept = tempfile.TemporaryDirectory(prefix="pointsman-tests-")
    leaks = Leaks(Path(kept.name), is_worker=hasattr(config, "workerinput"))
    config.pluginmanager.register(leaks, "leaks")
    leaks.begin()
    config.add_cleanup(kept.cleanup)
    config.add_cleanup(leaks.end)
