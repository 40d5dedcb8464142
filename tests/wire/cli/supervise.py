"""`pointsman up`'s own life with stand-ins for the services: `python -m tests.wire.cli.supervise <folder> <kind>:<name>[:<after>] …`."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from pointsman.cli.children import ChildSpec, Pace
from pointsman.cli.exits import CommandFailed
from pointsman.cli.running import run
from pointsman.cli.views import PlainView
from pointsman.runtime.probes import Probe
from tests.wire.cli import stand_in

GRACE_S = {"patient": 600.0, "quick": 0.2}
HOPELESS = "never:hopeless"


def main(folder: Path, children: list[str]) -> int:
    """The exit code."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whatever started the tests: nohup has it ignored, and `run` would keep to that
    pace = Pace(probe_s=0.02, first_backoff_s=0.05, max_backoff_s=0.2, start_deadline_s=0.5 if HOPELESS in children else 120)
    specs = [spec(folder, *child.split(":")) for child in children]
    work = run(specs, cwd=folder, logs=folder, view=PlainView(), announcement=lambda _: "all are ready", pace=pace)
    try:
        return asyncio.run(work)
    except CommandFailed as failure:
        sys.stderr.write(failure.message + "\n")
        return failure.exit_code


def spec(folder: Path, kind: str, name: str, after: str = "") -> ChildSpec:
    """A stand-in as a child."""
    command = [sys.executable, "-S", stand_in.__file__, kind, name, str(folder)]
    after_ = [after] if after else []
    return ChildSpec(name, command, ready(folder / f"{name}.pid"), after_, GRACE_S.get(name, 30), reloads=kind == "reloads")


def ready(pid_file: Path) -> Probe:
    """Ready while the process whose pid is in the file lives."""

    async def probe() -> str | None:
        try:
            os.kill(int(pid_file.read_text()), 0)  # noqa: ASYNC240 - ten bytes
        except (FileNotFoundError, ProcessLookupError):
            return "not there yet"
        return None

    return probe


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
