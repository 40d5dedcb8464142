"""`python -m controller [--settings FILE]`."""

from __future__ import annotations

import sys

from controller.app import run
from pointsman.runtime.process import main, on_uvloop

if __name__ == "__main__":
    sys.exit(main("controller", on_uvloop(run)))
