"""A file that one process at a time may write: two that rotate the same one lose each other's lines."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def lock_beside(file: Path) -> int | None:
    """The descriptor of a locked, empty file beside it, which the kernel lets go when the process ends, however it ends.

    None where there is nothing to be locked: a device or a pipe, or a file system without locks or without room. Raises
    `BlockingIOError` where another process holds it.
    """
    if file.exists() and not file.is_file():
        return None
    try:
        descriptor = os.open(file.with_name(f".{file.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            raise
        return None
    return descriptor
