"""The scorers as a process: Ray Serve with every configured strategy, until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from types import FrameType

import structlog

from pointsman.runtime.errors import PointsmanError
from pointsman.runtime.process import Reload
from pointsman.runtime.settings import Settings
from scorers.serve import serve_all
from scorers.watch import RayDied, watch

_log = structlog.get_logger()


class _Stopped(BaseException):
    """A signal came while Ray was starting; BaseException, so that no handler of Ray's takes it for a failure."""


def serve(settings: Settings, reload: Reload) -> int:
    started = time.monotonic()
    try:
        _stop_on_signals()
        with serve_all(settings) as cluster:
            _log.info("ray serve started", grpc_port=cluster.instance.grpc_port, seconds=round(time.monotonic() - started, 1))
            _log.warning("ray serve's ports know neither TLS nor identity, and its replicas' bind every interface: fence them by network")
            stopped_by = asyncio.run(watch(cluster, settings, started, reload))
            _log.info("stopping", signal=stopped_by)
    except (_Stopped, SystemExit):  # Ray puts a handler in our handler's place, and its raises SystemExit
        _log.info("stopped while starting")
    except RayDied as error:
        _log.error("ray died", what=str(error))
        sys.stderr.flush()
        os._exit(1)  # Ray's own exit handlers wait for the dead, or crash
    except PointsmanError as error:
        _log.error("scorers can't start", error=error.message)
        return 1
    _log.info("stopped")
    return 0


def _stop_on_signals() -> None:
    def stop(number: int, frame: FrameType | None) -> None:
        raise _Stopped

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until there is something to deploy anew
