"""`python -m pointsman.runtime.new_tokens FILE…`: a random token in each file that isn't there yet, readable by its owner's group at most.

Whoever has a token proves by it to be one of the services: `controller.token_file`, `scorers.cluster.token_file`. Exit code 0, or 1 and
which file can't be written.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

_BYTES: Final = 32


def main(files: Sequence[str]) -> int:
    """The exit code. A file that is there stays as it is."""
    for name in files:
        try:
            _write(Path(name))
        except OSError as error:
            sys.stderr.write(f"{name} can't be written: {error.strerror}\n")
            return 1
    return 0


def _write(file: Path) -> None:
    # Whole or not at all, whoever else starts at the same moment: whoever links first has written it.
    draft = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o440)
    try:
        with os.fdopen(descriptor, "w") as written:
            written.write(f"{secrets.token_hex(_BYTES)}\n")
            written.flush()
            os.fsync(written.fileno())
        with suppress(FileExistsError):
            os.link(draft, file)
    finally:
        draft.unlink()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
