"""`python -m gateway [--settings FILE]`: serves until SIGTERM or SIGINT."""

from __future__ import annotations

import sys

from pointsman.runtime import grpc_poller


def main() -> int:
    """The process's exit code: see `pointsman.runtime.process.main`."""
    grpc_poller.choose()
    # Not above, since they import grpc.
    from gateway.process import serve
    from pointsman.runtime import process

    return process.main("gateway", process.on_uvloop(serve))


if __name__ == "__main__":
    sys.exit(main())
