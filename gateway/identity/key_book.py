"""The keys file while the gateway runs: read again when it changes; one that can't be read changes nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import structlog

from gateway.identity.keyring import Keyring
from pointsman.runtime.keys_file import load_keys
from pointsman.runtime.settings_file import SettingsError

log = structlog.get_logger()
LOOK_S: Final = 2.0
"""How often the file is looked at, in seconds."""
_Stamp = tuple[int, int, int] | None


class KeyBook:
    """The keys in force. Raises `SettingsError` where the file can't be used at the start."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = self._stamp()
        self.now = Keyring(load_keys(path))

    async def follow(self) -> None:
        """Looks at the file until it is cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            await asyncio.to_thread(self.look)

    def look(self) -> None:
        """Takes the file over where it has changed. Never raises: what is wrong is logged, by name."""
        stamp = self._stamp()
        if stamp == self._read:
            return
        self._read = stamp
        try:
            self.now = Keyring(load_keys(self._path))
        except SettingsError as error:
            log.error("keys refused, the old ones stay", error=str(error))
        except Exception as error:  # noqa: BLE001 (what runs goes on running, and the next change is looked at again)
            log.error("keys can't be taken over, the old ones stay", error=type(error).__name__)
        else:
            log.info("keys read again", keys=len(self.now.file.keys))

    def _stamp(self) -> _Stamp:
        try:
            stat = self._path.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size, stat.st_ino
