"""Commands that need the checkout's own scorers (training, evaluation, labelling): each runs in a process of its own, on this terminal."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from pointsman.cli.exits import FAILED, OK, USAGE, CommandFailed
from pointsman.cli.services import NoCheckout, checkout_root

_CLEARING_UP_S: Final = 10.0
_TRAINING: Final = {"sw_ranking": "scorers.sw_ranking.index"}  # it has nothing to train, only a table to build


def train(strategy: str, data: Path, out: Path, seed: int, more: Sequence[str] = ()) -> int:
    """Trains and returns the exit code; `more` are the strategy's own arguments. Raises `CommandFailed` naming what is missing."""
    if not data.exists():
        raise CommandFailed(f"--data: {data} doesn't exist", USAGE)
    module = _TRAINING.get(strategy, f"scorers.{strategy}.train")
    if not strategy.isidentifier() or not (_root() / f"{module.replace('.', '/')}.py").is_file():
        raise CommandFailed(f"there is nothing to train for a strategy {strategy!r}; there is for {_trainable()}", USAGE)
    return _run(module, ["--data", str(data), "--out", str(out), "--seed", str(seed), *more])


def evaluate(arguments: Sequence[str]) -> int:
    """Evaluates and returns the exit code; the arguments are `scorers.offline.evaluate`'s own."""
    return _run("scorers.offline.evaluate", arguments)


def calibrate(arguments: Sequence[str]) -> int:
    """Calibrates and returns the exit code; the arguments are `scorers.offline.calibrate`'s own."""
    return _run("scorers.offline.calibrate", arguments)


def certify(arguments: Sequence[str]) -> int:
    """Certifies and returns the exit code; the arguments are `scorers.offline.certify`'s own."""
    return _run("scorers.offline.certify", arguments)


def label(arguments: Sequence[str]) -> int:
    """Labels and returns the exit code; the arguments are `scorers.offline.label`'s own, and so is what Ctrl-C does."""
    before = signal.signal(signal.SIGINT, lambda *_: None)  # the terminal sends it to both; the one that asks ends in good order
    try:
        return _run("scorers.offline.label", arguments, needs="tenacity")
    finally:
        signal.signal(signal.SIGINT, before)


def _trainable() -> str:
    found = {file.parent.name for file in _root().glob("scorers/*/train.py")} | _TRAINING.keys()
    return ", ".join(sorted(found))


def _root() -> Path:
    try:
        return checkout_root()
    except NoCheckout as error:
        raise CommandFailed(f"this needs the folder scorers of a checkout: {error}", FAILED) from None


def _run(module: str, arguments: Sequence[str], needs: str = "torch") -> int:
    root = _root()
    if not find_spec(needs):
        raise CommandFailed(f"this needs {needs}, which isn't installed: make install, in the checkout", FAILED)
    # By path, so that the arguments' own relative paths mean what they mean to the caller.
    program = f"import sys, runpy; sys.path.insert(0, {str(root)!r}); runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
    with subprocess.Popen([sys.executable, "-c", program, *arguments]) as child:  # noqa: S603  # nosec B603  # our own program
        code = _ended(child)
    return code if code in (OK, USAGE) else FAILED


def _ended(child: subprocess.Popen[bytes]) -> int:
    """Its exit code. Ctrl-C goes to the child as well, which has that long to clear up after itself."""
    try:
        return child.wait()
    except KeyboardInterrupt:
        try:
            return child.wait(_CLEARING_UP_S)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            child.kill()
            return child.wait()
