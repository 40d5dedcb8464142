"""`python -m controller [--settings FILE]`."""

from __future__ import annotations

import sys

from pointsman.runtime import grpc_poller


def main() -> int:
    """The process's exit code: see `pointsman.runtime.process.main`."""
    grpc_poller.choose()
    # Not above, since they import grpc.
    from controller.app import run
    from pointsman.runtime import process

    return process.main("controller", process.on_uvloop(run))


if __name__ == "__main__":
    sys.exit(main())
