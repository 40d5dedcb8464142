"""How far a model gives way to whatever else wants its cores."""

from __future__ import annotations

import contextlib
import os
import threading


def give_way(nice: int) -> None:
    """So many steps of nice (sched(7)) below what it is, for the calling thread and those it starts from now on; nothing happens where the
    system knows no priority of threads."""
    if not nice or not hasattr(os, "setpriority"):
        return
    thread = threading.get_native_id()
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + nice)
