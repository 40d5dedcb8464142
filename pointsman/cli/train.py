"""`pointsman train`: the checkout's own training, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from pointsman.cli.exits import FAILED, OK, USAGE, CommandFailed
from pointsman.cli.services import NoCheckout, checkout_root


def train(strategy: str, data: Path, out: Path, seed: int) -> int:
    """Trains and returns the exit code; progress goes to this process's own terminal. Raises `CommandFailed` naming what is missing."""
    try:
        root = checkout_root()
    except NoCheckout as error:
        raise CommandFailed(f"training needs the folder scorers of a checkout: {error}", FAILED) from None
    if not find_spec("torch"):
        raise CommandFailed("training needs torch, which isn't installed: make install, in the checkout", FAILED)
    if not data.is_dir():
        raise CommandFailed(f"--data: {data} is not a folder", USAGE)
    arguments = ["--data", str(data.resolve()), "--out", str(out.resolve()), "--seed", str(seed)]
    done = subprocess.run([sys.executable, "-m", f"scorers.{strategy}.train", *arguments], cwd=root, check=False)  # noqa: S603
    return done.returncode if done.returncode in (OK, USAGE) else FAILED
