"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

PARTS: Final = ".pointsman-*.part"
"""What files are called while they are written; a process that is killed leaves one."""


@contextmanager
def written_whole(file: Path) -> Iterator[IO[bytes]]:
    """What is written into it appears under the file's name where the block ends; where it fails nothing of it is left.

    Raises `OSError` naming the file.
    """
    # Drawn anew each time, since threads of one process may write into one folder.
    part = file.with_name(f".pointsman-{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        with part.open("wb") as opened:
            yield opened
        os.replace(part, file)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(file)) from None
    finally:
        part.unlink(missing_ok=True)
