"""`python -m gateway [--settings FILE]`: serves until SIGTERM or SIGINT."""

from __future__ import annotations

import sys

from gateway.process import serve
from pointsman.runtime.process import main, on_uvloop

if __name__ == "__main__":
    sys.exit(main("gateway", on_uvloop(serve)))
