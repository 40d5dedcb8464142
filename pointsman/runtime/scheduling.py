"""How the kernel schedules a service process, and all that it starts.

A call passes many threads: gRPC's, the one that waits for gRPC's events, the event loop's. By default a thread that wakes up interrupts
the one that runs, mostly the event loop that will serve both, and each such switch costs the caches and finds one event where a moment
later there would have been three. Under SCHED_BATCH (sched(7)) who wakes up waits until a core is free or the other's slice, some
milliseconds, is over.
"""

from __future__ import annotations

import contextlib
import os
from typing import Literal

Scheduling = Literal["batch", "normal"]


def schedule(how: Scheduling) -> None:
    """For this process, its threads and children that are yet to come; nothing happens where the system doesn't know it or refuses."""
    if how == "batch" and hasattr(os, "sched_setscheduler"):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
