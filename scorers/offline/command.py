"""How a command ends: its exit code, what it says on standard error, and standard output that can't be written."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from rich.console import Console

from pointsman.client import RouteError
from pointsman.runtime.errors import PointsmanError
from pointsman.runtime.output import discard_unwritable
from pointsman.runtime.settings_file import SettingsError

_INTERRUPTED: Final = 130  # what a shell says of Ctrl-C


def exit_code(run: Callable[[], None], errors: Console) -> int:
    """Runs the command: 0, 1 where scoring or writing failed, 2 for wrong arguments, data or settings, 130 after Ctrl-C."""
    try:
        run()
        sys.stdout.flush()
    except (SettingsError, PointsmanError) as error:
        return _said(errors, str(error), 2)
    except RouteError as error:
        return _said(errors, str(error), 1)
    except KeyboardInterrupt:
        return _said(errors, "Interrupted.", _INTERRUPTED)
    except MemoryError:
        return _said(errors, "There isn't memory enough for this.", 1)
    except OSError as error:
        if error.filename:
            return _said(errors, f"{error.filename}: can't be written: {error.strerror}.", 2)
        discard_unwritable()
        # Who reads a pipe may have seen enough.
        return 1 if isinstance(error, BrokenPipeError) else _said(errors, f"Standard output can't be written: {error.strerror}.", 1)
    return 0


def warn(errors: Console, sentence: str) -> None:
    """Something to know that stops nothing."""
    errors.print(sentence, style="yellow", markup=False, soft_wrap=True, highlight=False)


def _said(errors: Console, sentence: str, code: int) -> int:
    with suppress(OSError):
        errors.print(sentence, style="red", markup=False, soft_wrap=True, highlight=False)
    return code
