"""`python -m scorers [--settings FILE]`: Ray Serve with every configured strategy, until SIGTERM or SIGINT.

SIGHUP reads the settings again and deploys the strategies that have changed, while the others serve on.

Exit code 0 after a signal, 1 where Ray died or couldn't start (whoever supervises starts it again), 2 for wrong settings.
"""

from __future__ import annotations

import sys

from pointsman.runtime import grpc_poller


def main() -> int:
    """The process's exit code: see `pointsman.runtime.process.main`."""
    grpc_poller.choose()
    # Not above, since they import grpc; Ray's processes inherit the variable.
    from pointsman.runtime import process
    from scorers.process import serve

    return process.main("scorers", serve)


if __name__ == "__main__":
    sys.exit(main())
