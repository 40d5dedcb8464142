"""How the kernel schedules a process of ours: threads and children have it from the process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from pointsman.runtime.scheduling import schedule

_CHILD = """
import os, subprocess, sys, threading
from pointsman.runtime.scheduling import schedule
schedule(sys.argv[1])
seen = [os.sched_getscheduler(0)]
thread = threading.Thread(target=lambda: seen.append(os.sched_getscheduler(threading.get_native_id())))
thread.start(); thread.join()
seen.append(int(subprocess.check_output([sys.executable, "-c", "import os; print(os.sched_getscheduler(0))"])))
print(*seen)
"""


@pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="Linux only")
@pytest.mark.parametrize(("how", "policy"), [("batch", "SCHED_BATCH"), ("normal", "SCHED_OTHER")])
def test_threads_and_children_are_scheduled_like_the_process(how: str, policy: str) -> None:
    """So Ray's processes, which the scorers start, have it too."""
    assert subprocess.check_output([sys.executable, "-c", _CHILD, how], text=True).split() == [str(getattr(os, policy))] * 3


def test_a_system_that_refuses_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's profile may."""

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", refuse, raising=False)
    schedule("batch")
