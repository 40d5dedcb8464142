"""`python -m scorers.worker [--settings FILE]`: a machine of a Ray cluster, which replicas run on, until SIGTERM or SIGINT.

The head is `python -m scorers` with the same settings (`scorers.cluster`). Exit code 0 after a signal, 1 where the head can't be reached or
is gone (whoever supervises starts it again, and it joins the next one), 2 for wrong settings.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from types import FrameType

import structlog

from pointsman.runtime.process import Reload, main
from pointsman.runtime.settings import Settings
from pointsman.runtime.settings_file import SettingsError
from scorers.cluster import cpus, node_address
from scorers.instance import claimed_instance, end_leftovers, ray_environment
from scorers.serve import set_environment

_log = structlog.get_logger()


def join(settings: Settings, reload: Reload) -> int:
    """Runs Ray's part on this machine. What is deployed on it, and how, only the head says, so nothing is reloaded here."""
    cluster = settings.scorers.cluster
    if cluster is None:
        raise SettingsError("scorers.cluster: not set, so there is no head to join; scorers.cluster.head names it")
    address = node_address(cluster)
    with claimed_instance(settings.scorers) as instance:
        set_environment(ray_environment(instance, settings.scorers))
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--address", cluster.head]
        command += ["--node-ip-address", address, "--num-cpus", str(cpus(settings)), "--disable-usage-stats"]
        command += ["--include-log-monitor", "false"]  # it reads all logs again and again, for drivers that print them
        command += ["--object-store-memory", str(settings.scorers.object_store_bytes)]
        try:
            return _run(command)
        finally:
            end_leftovers(instance)


def _run(command: list[str]) -> int:
    stopped: list[int] = []
    ray = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603  # nosec B603

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.append(number)
        ray.terminate()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    _log.info("joining ray's head")
    code = ray.wait()
    if stopped:
        _log.info("stopped")
        return 0
    _log.error("ray ended here", exit_code=code)
    return 1


if __name__ == "__main__":
    sys.exit(main("scorers.worker", join))
