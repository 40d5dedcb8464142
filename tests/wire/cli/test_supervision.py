"""Starting, watching, restarting and stopping real processes, and what is left of them: nothing."""

from __future__ import annotations

import asyncio
import os
import pty
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

import pointsman
from tests.wire.cli.supervise import HOPELESS
from tests.wire.cli.terminal import takes_standard_input_as_its_terminal

ROOT = Path(pointsman.__file__).parent.parent


@dataclass
class Supervised:
    """A running supervisor: its process, its output, and the folder where its children leave their marks."""

    process: Process
    folder: Path
    lines: list[str] = field(default_factory=list)

    async def says(self, text: str) -> str:
        """Reads on to the next line with the text in it."""
        assert self.process.stdout
        async with asyncio.timeout(60):
            while line := (await self.process.stdout.readline()).decode():
                self.lines.append(line)
                if text in line:
                    return line
        raise AssertionError(f"{text!r} isn't in:\n{''.join(self.lines)}")

    async def ends(self) -> tuple[int, str]:
        """Waits for its end: exit code and standard error."""
        async with asyncio.timeout(60):
            out, err = await self.process.communicate()
        self.lines += out.decode().splitlines(keepends=True)
        return self.process.returncode or 0, err.decode()

    def pid(self, file: str) -> int:
        """The pid that a child has left in its file."""
        return int((self.folder / file).read_text())

    def keeper_of(self, name: str) -> int:
        """The pid of the keeper around a child."""
        return psutil.Process(self.pid(f"{name}.pid")).ppid()

    def family(self) -> list[psutil.Process]:
        """Everything that descends from it now."""
        return psutil.Process(self.process.pid).children(recursive=True)

    @property
    def events(self) -> list[str]:
        """What the children have noted."""
        return (self.folder / "events").read_text().splitlines()


@asynccontextmanager
async def supervised(folder: Path, *children: str, stdin: int | None = DEVNULL) -> AsyncIterator[Supervised]:
    """A supervisor in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.wire.cli.supervise", str(folder), *children, cwd=ROOT, stdin=stdin, stdout=PIPE, stderr=PIPE
    )
    try:
        yield Supervised(process, folder)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def until(condition: Callable[[], bool]) -> None:
    """Waits for the condition, up to the test's own limit."""
    while not condition():
        await asyncio.sleep(0.01)


def left(family: list[psutil.Process]) -> list[psutil.Process]:
    """Those that still run; one that has ended and waits for init to collect it doesn't."""
    return [process for process in family if process.is_running() and not gone(process.pid)]


def gone(pid: int) -> bool:
    """Whether no running process has the pid."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def test_all_start_become_ready_and_stop_in_the_reverse_order(tmp_path: Path) -> None:
    """A child that names another waits for its readiness; SIGTERM ends them last to first, and the exit code is 0."""
    async with supervised(tmp_path, "forks:one", "plain:two", "plain:three:two") as running:
        await running.says("all are ready")
        assert running.events[-1] == "three starts"
        family = running.family()
        assert len(family) == 7, "three keepers, three children, one orphan"
        running.process.send_signal(signal.SIGTERM)
        assert await running.ends() == (0, "")
        assert running.events[-3:] == ["three stops", "two stops", "one stops"]
        assert left(family) == []


async def test_a_killed_child_is_named_and_restarted_after_its_orphans_are_gone(tmp_path: Path) -> None:
    """Its orphan ignores SIGTERM and has a session of its own, as Ray's daemons may; it would hold the ports."""
    async with supervised(tmp_path, "forks:one", "plain:two") as running:
        await running.says("all are ready")
        child, orphan, other = running.pid("one.pid"), running.pid("one.orphan"), running.pid("two.pid")
        os.kill(child, signal.SIGKILL)
        assert "one" in await running.says("died: killed by signal 9")
        assert gone(orphan)
        await running.says("ready")
        assert running.pid("one.pid") != child
        assert running.pid("two.pid") == other, "the others go on"
        running.process.send_signal(signal.SIGINT)
        assert await running.ends() == (0, "")
        assert gone(running.pid("one.orphan"))


async def test_a_killed_keeper_takes_nothing_with_it_that_is_not_ended(tmp_path: Path) -> None:
    """Its child and its orphan fall to the supervisor, which ends them before the restart."""
    async with supervised(tmp_path, "forks:one", "plain:two") as running:
        await running.says("all are ready")
        child, orphan = running.pid("one.pid"), running.pid("one.orphan")
        os.kill(running.keeper_of("one"), signal.SIGKILL)
        await running.says("died")
        assert gone(child)
        assert gone(orphan)
        await running.says("ready")
        running.process.send_signal(signal.SIGINT)
        assert await running.ends() == (0, "")


async def test_a_killed_supervisor_leaves_nothing_behind(tmp_path: Path) -> None:
    """The kernel tells the keepers, and they end their own."""
    async with supervised(tmp_path, "forks:one", "plain:two") as running:
        await running.says("all are ready")
        family = running.family()
        running.process.kill()
        await until(lambda: not left(family))


async def test_a_child_that_refuses_its_settings_ends_the_start(tmp_path: Path) -> None:
    """Exit code 2 is the settings' own: no second try, its last lines shown, and the others are stopped."""
    async with supervised(tmp_path, "exits-2:bad", "plain:other") as running:
        code, error = await running.ends()
        assert code == 2
        assert "bad can't start: exit code 2" in error
        assert "the reason why bad ends" in "".join(running.lines)
        assert running.events.count("bad starts") == 1


async def test_a_child_that_keeps_dying_before_it_was_ever_ready_ends_the_start(tmp_path: Path) -> None:
    """Three tries, then exit code 1."""
    async with supervised(tmp_path, "exits-7:bad") as running:
        code, error = await running.ends()
        assert (code, "bad can't start: exit code 7" in error) == (1, True)
        assert running.events == ["bad starts"] * 3


async def test_a_child_that_never_becomes_ready_ends_the_start(tmp_path: Path) -> None:
    """What it was waiting for is in the message, and it is stopped."""
    async with supervised(tmp_path, HOPELESS) as running:
        code, error = await running.ends()
        assert code == 1
        assert "hopeless isn't ready after 0.5 s: not there yet" in error


async def test_a_child_that_outlives_its_grace_is_killed(tmp_path: Path) -> None:
    """SIGTERM first, then SIGKILL."""
    async with supervised(tmp_path, "stubborn:quick") as running:
        await running.says("all are ready")
        running.process.send_signal(signal.SIGTERM)
        assert await running.ends() == (0, "")
        assert running.events == ["quick starts", "quick stops"]
        assert gone(running.pid("quick.pid"))


async def test_a_second_ctrl_c_kills_at_once(tmp_path: Path) -> None:
    """A child with ten minutes of grace doesn't get them."""
    async with supervised(tmp_path, "forks:one", "stubborn:patient") as running:
        await running.says("all are ready")
        family = running.family()
        running.process.send_signal(signal.SIGINT)
        await until(lambda: "patient stops" in running.events)
        running.process.send_signal(signal.SIGINT)
        assert await running.ends() == (0, "")
        assert left(family) == []


async def test_a_signal_while_all_start_stops_them_too(tmp_path: Path) -> None:
    """Nobody has to wait for a start that hangs."""
    async with supervised(tmp_path, "plain:one", "never:slow") as running:
        await running.says("slow")
        await until(lambda: (tmp_path / "one.pid").exists())
        family = running.family()
        running.process.send_signal(signal.SIGTERM)
        assert await running.ends() == (0, "")
        assert left(family) == []


async def test_sighup_is_handed_on_to_the_children_that_reload(tmp_path: Path) -> None:
    """As often as it comes; the others never see it, and nothing ends."""
    async with supervised(tmp_path, "reloads:one", "plain:two", "reloads:three") as running:
        await running.says("all are ready")
        for times in (1, 2):
            running.process.send_signal(signal.SIGHUP)
            assert "settings are read again by one, three" in await running.says("SIGHUP")
            await until(lambda times=times: all(running.events.count(f"{name} reloads") == times for name in ("one", "three")))  # type: ignore[misc]
        running.process.send_signal(signal.SIGTERM)
        assert await running.ends() == (0, "")
        assert running.events[-3:] == ["three stops", "two stops", "one stops"]
        assert running.events.count("two starts") == 1


async def test_a_terminal_that_is_closed_stops_everything(tmp_path: Path) -> None:
    """Its SIGHUP is no wish for other settings."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "tests.wire.cli.supervise", str(tmp_path), "reloads:one"]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs, preexec_fn=takes_standard_input_as_its_terminal
    )
    try:
        os.close(theirs)
        await until(lambda: (tmp_path / "one.pid").exists())
        family = psutil.Process(process.pid).children(recursive=True)
        os.close(ours)
        async with asyncio.timeout(60):
            assert await process.wait() == 0
        assert (tmp_path / "events").read_text().splitlines() == ["one starts", "one stops"]
        assert left(family) == []
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_children_of_other_parents_are_let_alone(tmp_path: Path) -> None:
    """Another Ray, or another `pointsman up`, runs on through our stop."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    async with supervised(tmp_path / "a", "forks:one") as ours, supervised(tmp_path / "b", "forks:one") as theirs:
        await ours.says("all are ready")
        await theirs.says("all are ready")
        ours.process.send_signal(signal.SIGTERM)
        assert await ours.ends() == (0, "")
        assert not gone(theirs.pid("one.pid"))
        assert not gone(theirs.pid("one.orphan"))
