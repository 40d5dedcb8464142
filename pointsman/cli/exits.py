"""How the command ends: its exit codes, and the one exception that carries a message to standard error."""

from __future__ import annotations

from typing import Final

OK: Final = 0
FAILED: Final = 1
"""The service refused or failed the request, or a service of `up` can't run."""
USAGE: Final = 2
"""Wrong arguments, or settings that can't be used."""
UNREACHABLE: Final = 3
"""No service answers at the address."""


class CommandFailed(Exception):
    """Ends the command with the message on standard error, without a traceback."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code
