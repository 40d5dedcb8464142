"""What the machine has to have: room on its disks, shared memory, folders that can be written to."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pointsman.cli.doctor.finding import Finding, ok, problem, skipped, warning
from pointsman.runtime.settings import Settings

_SHARED: Final = Path("/dev/shm")  # noqa: S108  # nosec B108 - looked at, not written to
_RAYS: Final = Path("/tmp")  # noqa: S108  # nosec B108 - likewise
_MIB: Final = 2**20
_LEAST_FREE: Final = 1024 * _MIB
# Ray takes no more objects on a disk that is so full.
_FULLEST: Final = 0.95


def machine(settings: Settings) -> list[Finding]:
    """Each is looked at from this machine, which may not be the one of the services."""
    return [_disk(_RAYS), _shared_memory(settings.scorers.object_store_bytes), *_folders(settings)]


def _disk(folder: Path) -> Finding:
    room = shutil.disk_usage(folder)
    said = f"{room.free / _MIB:,.0f} MiB are free in {folder}, where Ray keeps its logs and sockets"
    if room.free < _LEAST_FREE or room.used > _FULLEST * room.total:
        return warning("disk", said, f"make room in {folder}: Ray stores nothing on a disk that is 95 % full")
    return ok("disk", said)


def _shared_memory(needed: int) -> Finding:
    """For Ray's object store."""
    try:
        room = shutil.disk_usage(_SHARED)
    except OSError:
        return skipped("shared memory", f"this machine has no {_SHARED}")
    said = (
        f"{room.free / _MIB:,.0f} of {room.total / _MIB:,.0f} MiB are free in {_SHARED}, of which Ray's objects take {needed / _MIB:,.0f}"
    )
    if room.free < needed:
        # They may be taken already, by scorers that run.
        of = problem if room.total < needed else warning
        return of("shared memory", said, "give the container more (docker run --shm-size), or lower scorers.object_store_bytes")
    return ok("shared memory", said)


def _folders(settings: Settings) -> Iterator[Finding]:
    records = settings.records_dir
    if not records.exists():
        yield ok("records_dir", f"{records} isn't there yet; pointsman calibrate and certify make it")
    elif not records.is_dir() or not os.access(records, os.R_OK | os.X_OK):
        yield problem("records_dir", f"{records} isn't a folder that can be read", "name another in records_dir, or change its owner")
    elif not os.access(records, os.W_OK):
        yield warning("records_dir", f"{records} can't be written to: pointsman calibrate and certify have to", "change its owner")
    else:
        yield ok("records_dir", f"{records} can be read and written to")
    log = settings.controller.decision_log.path
    if log and not os.access(log if log.exists() else log.parent, os.W_OK):
        yield problem("decision log", f"{log} can't be written to", "make its folder, or name another in controller.decision_log.path")
