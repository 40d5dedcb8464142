"""As `python -m scorers`, with strategies of any name whose models are imitated.

python -m benchmarks.imitated --settings FILE      (strategies: {any-name: {options: {batch_ms: 100, work: sleep}}})
"""

from __future__ import annotations

import sys

from benchmarks.imitated.models import ImitatedReplica
from pointsman.runtime.process import main as run
from scorers import serve
from scorers.process import serve as serving

if __name__ == "__main__":
    vars(serve)["ScorerReplica"] = ImitatedReplica  # what is deployed, in the real one's place
    sys.exit(run("scorers", serving))
