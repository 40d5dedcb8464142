"""The records as their folders have them now: read when the controller starts, and again when a file has changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from pointsman.calibration.files import Record, record_files, write_record
from pointsman.calibration.records import Records
from pointsman.runtime.errors import Unavailable
from pointsman.runtime.settings_file import SettingsError

log = structlog.get_logger()
_Seen = frozenset[tuple[Path, int, int]]


class RecordBook:
    """Holds the records that count. A file that isn't a record is logged and the records from before stay."""

    def __init__(self, folders: Sequence[Path], writes_to: Path) -> None:
        """Reads them. Raises `SettingsError` naming a file that isn't one."""
        self._folders = folders
        self._writes_to = writes_to
        self._on_change: list[Callable[[Records], None]] = []
        self._seen = self._files()
        self.records = Records.load(folders)

    def on_change(self, listener: Callable[[Records], None]) -> None:
        """Will be told of other records."""
        self._on_change.append(listener)

    async def write(self, record: Record) -> Path:
        """Writes a record, which counts from now on. Raises `Unavailable` where it can't be written."""
        try:
            file = await asyncio.to_thread(write_record, self._writes_to, record)
        except OSError as error:
            raise Unavailable(f"records_dir can't be written: {error.strerror}. Nothing was kept.") from None
        await self.refresh()
        return file

    async def follow(self, interval_s: float) -> None:
        """Looks for ever."""
        while True:
            await asyncio.sleep(interval_s)
            await self.refresh()

    async def refresh(self) -> None:
        """Reads the records again where a file has come, gone or changed."""
        try:
            seen = await asyncio.to_thread(self._files)
            if seen == self._seen:
                return
            self._seen = seen  # also of a wrong file, which needn't be logged again
            self.records = await asyncio.to_thread(Records.load, self._folders)
        except (SettingsError, OSError) as error:
            log.error("records not read again; those from before stay", error=str(error))
            return
        for listener in self._on_change:
            listener(self.records)
        log.info("records read again", files=len(seen))

    def _files(self) -> _Seen:
        stats = ((file, file.stat()) for folder in self._folders for file in record_files(folder))
        return frozenset((file, stat.st_mtime_ns, stat.st_size) for file, stat in stats)
