"""`python -m scorers [--settings FILE]`: Ray Serve with every configured strategy, until SIGTERM or SIGINT.

SIGHUP reads the settings again and deploys the strategies that have changed, while the others serve on.

Exit code 0 after a signal, 1 where Ray died or couldn't start (whoever supervises starts it again), 2 for wrong settings.
"""

from __future__ import annotations

import sys

from pointsman.runtime.process import main
from scorers.process import serve

if __name__ == "__main__":
    sys.exit(main("scorers", serve))
