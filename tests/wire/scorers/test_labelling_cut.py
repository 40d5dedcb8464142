"""`pointsman label` as a shell runs it: Ctrl-C, a crash, and a shell without a terminal."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.backend import Received, Script, by_turns, hanging
from tests.wire.scorers.labelling import Bench, bench


@pytest.fixture
async def labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> AsyncIterator[Bench]:
    """Everything, running."""
    async with bench(tmp_path, capsys) as found:
        yield found


async def begun(labels: Bench, *more: str) -> Process:
    """The command, in a process group of its own as a terminal has it."""
    command = [sys.executable, "-m", "pointsman.cli", "label", *labels.arguments("--json", "--concurrency", "1", *more)]
    return await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True)


async def ended(process: Process) -> tuple[int, str, str]:
    """Exit code, output, errors."""
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


def waiting(reached: asyncio.Event, released: asyncio.Event, then: Script) -> Script:
    """Says that it was asked, and answers once it may."""

    async def script(received: Received, writer: asyncio.StreamWriter) -> None:
        reached.set()
        await released.wait()
        await then(received, writer)

    return script


async def test_ctrl_c_keeps_the_answer_that_is_under_way(labels: Bench) -> None:
    """It is paid for. The next run doesn't ask for it."""
    reached, released = asyncio.Event(), asyncio.Event()
    good = labels.strong.script
    labels.strong.script = by_turns([good, waiting(reached, released, good)], then=good)
    process = await begun(labels, "--yes")
    await reached.wait()
    os.killpg(process.pid, signal.SIGINT)
    assert process.stderr
    async with asyncio.timeout(20):
        while b"Ctrl-C again" not in await process.stderr.readline():
            pass
    released.set()
    code, out, err = await ended(process)
    assert (code, json.loads(out)["stopped"], labels.asked()) == (1, "interrupted", (2, 2, 2))
    assert "Traceback" not in err
    assert (await ended(await begun(labels, "--yes")))[0] == 0
    assert labels.asked() == (4, 4, 8)


async def test_ctrl_c_twice_ends_at_once(labels: Bench) -> None:
    """The call that was under way is asked again, and no other."""
    good = labels.strong.script
    labels.strong.script = by_turns([good, hanging], then=good)
    process = await begun(labels, "--yes")
    while len(labels.strong.received) < 2:
        await asyncio.sleep(0.02)
    for _ in range(2):
        os.killpg(process.pid, signal.SIGINT)
        await asyncio.sleep(0.2)
    code, out, err = await ended(process)
    assert (code, out) == (1, "")
    assert "Traceback" not in err
    assert (await ended(await begun(labels, "--yes")))[0] == 0
    assert labels.asked() == (4, 5, 8)


async def test_a_crash_loses_the_call_that_was_under_way_alone(labels: Bench) -> None:
    """SIGKILL, and a line of the journal torn besides."""
    good = labels.judge.script
    labels.judge.script = by_turns([good, good, good, hanging], then=good)
    process = await begun(labels, "--yes")
    while len(labels.judge.received) < 4:
        await asyncio.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    await ended(process)
    with labels.journal.open("ab") as journal:
        journal.write(b'{"row": 2, "stage": "judge_str')
    code, out, err = await ended(await begun(labels, "--yes"))
    assert (code, json.loads(out)["labelled"]) == (0, 4), err
    assert labels.asked() == (4, 4, 9)


async def test_two_runs_dont_share_a_journal(labels: Bench) -> None:
    """The second says so; both would ask the same."""
    labels.weak.script = hanging
    process = await begun(labels, "--yes")
    while not labels.weak.received:
        await asyncio.sleep(0.02)
    second = await labels.label()
    os.killpg(process.pid, signal.SIGKILL)
    await ended(process)
    assert second.code == 2
    assert "another run is writing it" in second.err
    assert labels.asked() == (1, 0, 0)


async def test_nothing_is_spent_without_a_yes(labels: Bench) -> None:
    """No terminal to ask on: the estimate is shown, exit code 2, nothing is left behind."""
    code, out, err = await ended(await begun(labels))
    assert (code, out, labels.asked(), labels.journal.exists()) == (2, "", (0, 0, 0), False)
    assert "needs --yes" in err
    assert "4 prompts; at most about 0.18" in err
