"""Processes under the supervisor of `pointsman up`: `python -m tests.support.faults.supervise FOLDER`, which has specs.json.

A spec is {name, argv, probe: [kind, port, path or strategies]}. So what is killed comes back as it does for users.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from pointsman.cli.children import ChildSpec
from pointsman.cli.running import run
from pointsman.cli.views import PlainView
from pointsman.runtime.probes import Probe, grpc_healthy, http_ready, strategies_ready
from tests.support.product import ROOT


def _probe(kind: str, port: int, what: Any) -> Probe:
    match kind:
        case "http":
            return http_ready("127.0.0.1", port, what)
        case "strategies":
            return strategies_ready("127.0.0.1", port, what)
    return grpc_healthy("127.0.0.1", port)


def main(folder: Path) -> int:
    """The exit code."""
    said = json.loads((folder / "specs.json").read_text())
    specs = [ChildSpec(each["name"], each["argv"], _probe(*each["probe"])) for each in said]
    return asyncio.run(run(specs, cwd=ROOT, logs=folder, view=PlainView(), announcement=lambda _: "all are ready"))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
