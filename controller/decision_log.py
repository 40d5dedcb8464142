"""The decision log: one receipt a line, in JSON, of every request that has ended. A receipt has no prompt, no completion and no key.

A thread writes it, behind a bounded queue: a request never waits for a disk. What can't be written is dropped and counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import errno
import json
import logging
import os
import queue
import threading
from datetime import UTC, datetime
from io import FileIO
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, Final

import structlog
from google.protobuf.json_format import MessageToDict
from prometheus_client import CollectorRegistry, Counter

from controller.file_lock import lock_beside
from pointsman.runtime.controller_settings import DecisionLogSettings
from pointsman.runtime.settings_file import SettingsError
from pointsman.v1 import routing_pb2

log = structlog.get_logger()
_WAITING: Final = 10_000  # receipts of about a kilobyte
_FLUSH_S: Final = 5.0


class RotatingLines(RotatingFileHandler):
    """The standard library's rotation, over an unbuffered file: a line is written whole or not at all."""

    def __init__(self, path: Path, max_bytes: int, keep: int) -> None:
        super().__init__(path, maxBytes=max_bytes, backupCount=keep, delay=True)

    def append(self, line: str) -> None:
        """Adds an ASCII line. Raises `OSError` where it can't; the file is opened anew for the next one."""
        try:
            if self.shouldRollover(logging.makeLogRecord({"msg": line})):
                self.doRollover()
            file: Any = self.stream or self._open()
            self.stream = file
            _write_whole(file, line.encode("ascii") + b"\n")
        except OSError:
            self._give_up()
            raise

    def _open(self) -> Any:
        return FileIO(self.baseFilename, "a")

    def _give_up(self) -> None:
        stream, self.stream = self.stream, None
        with contextlib.suppress(OSError):
            if stream:
                stream.close()


def _write_whole(file: FileIO, line: bytes) -> None:
    before = file.seek(0, os.SEEK_END) if file.seekable() else None
    try:
        if file.write(line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError:
        if before is not None:
            with contextlib.suppress(OSError):
                file.truncate(before)
        raise


class DecisionLog:
    """Takes receipts from the event loop and writes them in a thread of its own, from `start` to `close`."""

    def __init__(self, settings: DecisionLogSettings, registry: CollectorRegistry, *, waiting: int = _WAITING) -> None:
        self._settings = settings
        self._queue: queue.Queue[tuple[datetime, routing_pb2.Receipt] | None] = queue.Queue(waiting)
        self._thread: threading.Thread | None = None
        self._lock: int | None = None
        self._full = False
        self._failing = False
        self._dropped = Counter(
            "pointsman_decision_log_dropped", "Receipts that the decision log lost; why is queue or disk.", ["why"], registry=registry
        )
        for why in ("queue", "disk"):
            self._dropped.labels(why)

    def start(self) -> None:
        """Begins to write, where the settings name a file. Raises `SettingsError` where that can't be written, or another process does."""
        if (path := self._settings.path) is None:
            return
        if not os.access(path.absolute().parent, os.W_OK | os.X_OK) or path.is_dir():
            raise SettingsError(f"controller.decision_log.path: {path} can't be written: its folder must exist, and take files")
        self._lock = _locked(path)
        lines = RotatingLines(path, self._settings.max_bytes, self._settings.keep)
        # The context has what every line of our own log says of this process.
        run = contextvars.copy_context().run
        self._thread = threading.Thread(target=run, args=(self._write_all, lines), name="decision log", daemon=True)
        self._thread.start()

    def add(self, receipt: routing_pb2.Receipt) -> None:
        """A request has ended; nothing changes its receipt any more. Never blocks and never raises."""
        if self._thread is None:
            return
        try:
            self._queue.put_nowait((datetime.now(UTC), receipt))
        except queue.Full:
            self._dropped.labels("queue").inc()
            if not self._full:
                self._full = True
                log.error("decision log can't keep up, receipts are dropped", waiting=self._queue.maxsize)
        else:
            # Half empty, and not one place free: else a full queue would be told again with every line.
            if self._full and self._queue.qsize() <= self._queue.maxsize // 2:
                self._full = False
                log.info("decision log keeps up again")

    async def close(self) -> None:
        """Writes what waits; a disk that hangs is given up on."""
        if self._thread is not None:
            await asyncio.to_thread(self._finish, self._thread)
            self._thread = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _finish(self, thread: threading.Thread) -> None:
        with contextlib.suppress(queue.Full):
            self._queue.put(None, timeout=_FLUSH_S)
        thread.join(_FLUSH_S)
        if thread.is_alive():
            log.error("decision log not written to its end", waiting=self._queue.qsize())

    def _write_all(self, lines: RotatingLines) -> None:
        while (entry := self._queue.get()) is not None:
            try:
                lines.append(line_of(*entry))
            except OSError as error:
                self._dropped.labels("disk").inc()
                if not self._failing:
                    self._failing = True
                    log.error("decision log can't be written, receipts are dropped", error=error.strerror)
            else:
                if self._failing:
                    self._failing = False
                    log.info("decision log is written again")
        lines.close()


def _locked(path: Path) -> int | None:
    try:
        return lock_beside(path)
    except BlockingIOError:
        raise SettingsError(f"controller.decision_log.path: another process writes {path}; each controller needs its own") from None


def line_of(ended: datetime, receipt: routing_pb2.Receipt) -> str:
    """The receipt by the contract's own names, after the time at which its request ended; ASCII."""
    values = MessageToDict(receipt, preserving_proto_field_name=True)
    if usage := values.get("usage"):
        # protobuf's JSON has 64-bit integers as strings.
        usage.update({name: int(value) for name, value in usage.items() if isinstance(value, str)})
    return json.dumps({"time": ended.isoformat(timespec="milliseconds"), **values}, separators=(",", ":"))
