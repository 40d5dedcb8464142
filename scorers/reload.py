"""Changing what is deployed while the rest serves: which strategies differ from what runs, and the signal that asks."""

from __future__ import annotations

import asyncio
import hashlib
import json
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import structlog

from pointsman.runtime.process import Reload
from pointsman.runtime.scorer_deployment import held_by_replica
from pointsman.runtime.settings import StrategySettings
from pointsman.runtime.settings_file import SettingsError

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Deployed:
    """A strategy as it runs. `version` tells apart what a replica must be replaced for: its model and how it's built."""

    settings: StrategySettings
    version: str

    @classmethod
    def of(cls, settings: StrategySettings) -> Self:
        """The checkpoint's config counts, not its path alone, so that new weights under an old name are noticed."""
        held = [*held_by_replica(settings).values(), _config_sha256(settings.checkpoint)]
        return cls(settings, hashlib.sha256(json.dumps(held, sort_keys=True, default=str).encode()).hexdigest()[:16])


@dataclass(frozen=True, slots=True)
class Change:
    """Names of strategies, sorted."""

    deployed: list[str]
    """New or changed."""
    stopped: list[str]
    unchanged: list[str]

    @classmethod
    def between(cls, now: Mapping[str, Deployed], wanted: Mapping[str, Deployed]) -> Self:
        """From what runs to what is wanted."""
        unchanged = sorted(name for name in wanted if now.get(name) == wanted[name])
        return cls(sorted(wanted.keys() - set(unchanged)), sorted(now.keys() - wanted.keys()), unchanged)


class Deploys(Protocol):
    """Who deploys: Ray Serve."""

    def deploy(self, strategies: Mapping[str, StrategySettings]) -> Change:
        """Makes what is deployed what is wanted. May raise anything; blocks."""


async def reload_on_hangup(cluster: Deploys, load: Reload) -> None:
    """On each SIGHUP reads the settings and deploys the difference, one after the other; runs until it is cancelled.

    Settings that can't be used change nothing.
    """
    asked = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, asked.set)
    while True:
        await asked.wait()
        asked.clear()
        try:
            change = await asyncio.to_thread(lambda: cluster.deploy(load().strategies))
        except SettingsError as error:
            _log.error("settings refused, the old ones stay", error=str(error))
        except Exception as error:  # noqa: BLE001 (Ray raises many kinds, and what runs goes on running)
            _log.error("strategies can't be deployed", error=type(error).__name__)
        else:
            _log.info("settings read again", deployed=change.deployed, stopped=change.stopped, unchanged=change.unchanged)


def _config_sha256(checkpoint: str | None) -> str:
    """Of a checkpoint folder's config.json, which has its weights' hash; empty for one that ships or that the hub has."""
    try:
        return hashlib.sha256((Path(checkpoint).expanduser() / "config.json").read_bytes()).hexdigest() if checkpoint else ""
    except OSError:
        return ""
