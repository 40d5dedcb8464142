"""Settings that change while a process runs: read again on SIGHUP and when their file has changed."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import structlog
from pydantic import BaseModel

from pointsman.runtime.file_stamps import Stamp, stamp_of
from pointsman.runtime.settings import Settings, with_local_llms
from pointsman.runtime.settings_file import SettingsError, load_settings, settings_path

log = structlog.get_logger()
LOOK_S: Final = 2.0
"""How often the file is looked at, in seconds."""


@dataclass(frozen=True, slots=True)
class Change:
    """Keys of settings that are no longer what they were."""

    in_force: list[str] = field(default_factory=list)
    """From the next request on."""
    need_restart: list[str] = field(default_factory=list)
    """What was, stays until the process starts again."""


class SettingsSource:
    """The settings file of a process. Calling it reads the settings as the file has them now; raises `SettingsError`."""

    def __init__(self, path: Path | None) -> None:
        self.path = settings_path(path)
        self._read: Stamp = None

    def __call__(self) -> Settings:
        self._read = stamp_of(self.path)
        return with_local_llms(load_settings(self.path))

    def is_stale(self) -> bool:
        """Whether the file is no longer the one that was read."""
        return stamp_of(self.path) != self._read


async def follow(source: SettingsSource, apply: Callable[[Settings], Awaitable[Change]]) -> None:
    """Applies the settings anew on each SIGHUP, and when their file has changed; runs until it is cancelled.

    Settings that can't be used, because the file is wrong or because `apply` raises `SettingsError`, change nothing.
    """
    asked = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, asked.set)
    while True:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                await asked.wait()
        if not asked.is_set() and not await asyncio.to_thread(source.is_stale):
            continue
        asked.clear()
        try:
            change = await apply(await asyncio.to_thread(source))
        except SettingsError as error:
            log.error("settings refused, the old ones stay", error=str(error))
        except Exception as error:  # noqa: BLE001 (what runs goes on running, and the next change is looked at again)
            log.error("settings can't be taken over, the old ones stay", error=type(error).__name__)
        else:
            log.info("settings read again", in_force=change.in_force)
            if change.need_restart:
                log.warning("settings that need a restart have changed", keys=change.need_restart)


PROCESS: Final = ("log.", "tracing.", "scheduling")
"""What begins every such key that a process takes at its start alone, whatever service it is."""


def process_keys(old: Settings, new: Settings) -> list[str]:
    """Those that have changed."""
    return [key for key in changed_keys(old, new) if key.startswith(PROCESS)]


def changed_keys(old: Any, new: Any, prefix: str = "") -> Iterator[str]:
    """The keys, `controller.host`, whose values differ; values, of which a header may be a secret, aren't told."""
    if isinstance(old, BaseModel) and type(old) is type(new):
        for name in type(old).model_fields:
            yield from changed_keys(getattr(old, name), getattr(new, name), _joined(prefix, name))
    elif isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in sorted(old.keys() | new.keys()):
            if name in old and name in new:
                yield from changed_keys(old[name], new[name], _joined(prefix, name))
            else:
                yield _joined(prefix, name)
    elif old != new:
        yield prefix


def with_values(part: BaseModel, newer: BaseModel, names: Iterable[str]) -> Any:
    """A part of the settings with these keys taken from a newer one."""
    return part.model_copy(update={name: getattr(newer, name) for name in names})


def _joined(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name
