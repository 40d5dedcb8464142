"""What one instance of the scorers owns on its machine: a folder, locked while it runs, and ports nobody else has.

Another Ray, another Ray Serve or another Pointsman may run beside it: HAProxy's and Serve's fixed ports and paths are all
replaced by this instance's own.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pointsman.runtime.errors import Unavailable
from pointsman.runtime.scorer_deployment import serving_variables
from pointsman.runtime.scorers_settings import ScorersSettings
from scorers.cluster import cluster_environment
from scorers.quiet import QUIET

_LONGEST_FOLDER: Final = 27  # characters; HAProxy's sockets lie 70 deeper and may have 97
_REPLICA_PORTS: Final = 100
_PATIENCE: Final = 20  # tenths of a second between SIGTERM and SIGKILL


@dataclass(frozen=True, slots=True)
class Instance:
    """`folder` is private to the user; the ports were free a moment ago."""

    folder: Path
    grpc_port: int
    http_port: int


@contextmanager
def claimed_instance(settings: ScorersSettings) -> Iterator[Instance]:
    """The instance of `settings.grpc_port` (0: a free one) while the context lives; remains of a killed one are cleared away.

    Raises `Unavailable` where the port is taken, by another Pointsman or by anything else.
    """
    grpc_port = settings.grpc_port or free_ports(1)[0]
    folder = _private_folder(f"psm-{os.getuid()}-{grpc_port}")
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Unavailable(f"The scorers of gRPC port {grpc_port} run already; scorers.grpc_port names another.") from None
        instance = Instance(folder, grpc_port, settings.http_port)
        end_leftovers(instance)
        shutil.rmtree(folder / "ray", ignore_errors=True)  # the last run's logs
        if not _is_free(grpc_port):
            raise Unavailable(f"Port {grpc_port} is taken; scorers.grpc_port names another.")
        http_port = settings.http_port if settings.http_port and _is_free(settings.http_port) else free_ports(1)[0]
        yield Instance(folder, grpc_port, http_port)


def ray_environment(instance: Instance, settings: ScorersSettings) -> Mapping[str, str]:
    """The variables that Ray reads when it's imported, here and in every process it starts. Raises `SettingsError` for the token."""
    haproxy = instance.folder  # Serve adds a folder of 56 characters
    return {
        # Workers see the modules that this process sees, whatever their working directory.
        "PYTHONPATH": os.pathsep.join(dict.fromkeys([str(Path(__file__).parents[1]), *filter(None, sys.path)])),
        **serving_variables(haproxy=settings.haproxy),
        "RAY_AUTH_MODE": "token",
        **(_ports_of_its_own() if settings.cluster is None else cluster_environment(settings.cluster)),
        "RAY_num_prestart_python_workers": "0",
        "RAY_prestart_worker_first_driver": "0",
        **QUIET,
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "1",
        # Of callers: controllers have one each. HAProxy wants two files for each, and doesn't start where that is more than it may open.
        "RAY_SERVE_HAPROXY_MAXCONN": "1000",
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(haproxy / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(haproxy / "admin.sock"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(haproxy),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(haproxy / "server-state"),
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": str(haproxy / "metrics.sock"),
    }


def _ports_of_its_own() -> Mapping[str, str]:
    """For a Ray that shares the machine with whatever else: a token of this run's own, so that strangers on the machine can't use it and
    no file in the home holds it, and free ports."""
    metrics, stats, fallback_http, fallback_grpc = free_ports(4)
    http_from, grpc_from = _free_block(), _free_block()
    return {
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # which is how Ray is told that no other machine joins
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(metrics),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(stats),
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(fallback_http),
        "RAY_SERVE_FALLBACK_PROXY_GRPC_PORT": str(fallback_grpc),
        "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": str(http_from),
        "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": str(http_from + _REPLICA_PORTS),
        "RAY_SERVE_DIRECT_INGRESS_MIN_GRPC_PORT": str(grpc_from),
        "RAY_SERVE_DIRECT_INGRESS_MAX_GRPC_PORT": str(grpc_from + _REPLICA_PORTS),
    }


def end_leftovers(instance: Instance) -> None:
    """Ends every process that an earlier run of this instance, or this one, has left: HAProxy outlives the actor that started it
    and would go on holding the port; Ray's agents take a minute to notice that they're alone."""
    for sent in (signal.SIGTERM, signal.SIGKILL):
        for pid in (pids := _leftover_pids(instance)):
            with suppress(ProcessLookupError):
                os.kill(pid, sent)
        for _ in range(_PATIENCE if pids else 0):
            if not _leftover_pids(instance):
                return
            time.sleep(0.1)


def free_ports(count: int) -> list[int]:
    """Ports that nobody has at this moment."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _leftover_pids(instance: Instance) -> list[int]:
    """All that Ray starts inherits its variables, of which several name our folder; a process's title may lie over some of them."""
    mark = f"={instance.folder}/".encode()
    pids = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark in (process / "environ").read_bytes() and int(process.name) != os.getpid():
                pids.append(int(process.name))
    return pids


def _private_folder(name: str) -> Path:
    folder = Path(tempfile.gettempdir()) / name
    if len(str(folder)) > _LONGEST_FOLDER:
        folder = Path("/tmp") / name  # noqa: S108  # nosec B108  # made private below
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise Unavailable(f"{folder} belongs to another user; remove it, or let TMPDIR or scorers.grpc_port name another.")
    folder.chmod(0o700)
    return folder


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # A closed connection's port is free; one that somebody listens on isn't.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


def _free_block() -> int:
    """The first of `_REPLICA_PORTS` ports in a row, below those that the kernel hands out."""
    for _ in range(100):
        start = 20_000 + secrets.randbelow(12_000 - _REPLICA_PORTS)
        if all(_is_free(port) for port in range(start, start + _REPLICA_PORTS, 10)):
            return start
    raise Unavailable(f"No {_REPLICA_PORTS} free ports in a row between 20000 and 32000, which replicas need; end what holds them.")
