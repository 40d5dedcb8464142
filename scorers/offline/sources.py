"""Where a command's win rates come from: routers in this process or a running service, and the cache in front of both."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from rich.console import Console

import scorers
from pointsman.client import Access, Client
from pointsman.client.patience import patiently
from pointsman.runtime.settings import Settings, StrategySettings
from pointsman.runtime.settings_file import cache_folder
from scorers.hub import checkpoint_folder
from scorers.identity import folder_sha256, version_of
from scorers.offline.access import access_of, add_access_options
from scorers.offline.arguments import names, whole_number
from scorers.offline.command import warn
from scorers.offline.progress import counted
from scorers.offline.scored import Progress, Scored
from scorers.offline.scoring import scored_by_service, scored_here
from scorers.offline.win_rate_cache import Prompts, WinRateCache
from scorers.registry import ROUTERS, router_class

Model = Mapping[str, str]
"""What a strategy's win rates depend on beside the prompts."""
_NO_CHECKPOINT: Final = ("", "none")


class Source(Protocol):
    @property
    def at_once(self) -> bool:
        """Whether all strategies are scored together, prompt by prompt, or one strategy after the other."""

    def models(self, strategies: Sequence[str]) -> Mapping[str, Model]:
        """Of those whose win rates are worth keeping: a strategy without a checkpoint costs nothing, and may draw anew each time."""

    def score(self, strategies: Sequence[str], prompts: Sequence[str], progress: Progress) -> list[Scored]:
        """See `scoring`."""


@dataclass(frozen=True, slots=True)
class Here:
    """Routers that are built in this process."""

    settings: Settings
    at_once: bool = False

    def models(self, strategies: Sequence[str]) -> Mapping[str, Model]:
        """See `Source`; no router is built for it. Raises `UnknownStrategy`, also where the name stands last."""
        for name in strategies:
            if name not in ROUTERS:
                router_class(name)
        found = {name: self._model(name, self.settings.strategies.get(name, StrategySettings())) for name in strategies}
        return {name: model for name, model in found.items() if model}

    def score(self, strategies: Sequence[str], prompts: Sequence[str], progress: Progress) -> list[Scored]:
        """See `Source`."""
        return scored_here(strategies, prompts, self.settings, progress)

    def _model(self, name: str, settings: StrategySettings) -> Model | None:
        """By what is in the checkpoint's files, which are small or were downloaded once."""
        shipped = Path(scorers.__file__).parent / name / "checkpoint"
        if not settings.checkpoint and not shipped.is_dir():
            return None
        folder = checkpoint_folder(settings.checkpoint) if settings.checkpoint else shipped
        try:
            return {"strategy": name, "version": version_of(name, settings), "checkpoint_files": folder_sha256(folder)}
        except OSError:  # building the router says it better
            return None


@dataclass(frozen=True, slots=True)
class Service:
    """A running service's gRPC address."""

    address: str
    concurrency: int
    access: Access = field(default_factory=Access, repr=False)
    at_once: bool = True

    def models(self, strategies: Sequence[str]) -> Mapping[str, Model]:
        """See `Source`: the checkpoints that serve now. Raises `RouteError`."""
        with Client(self.address, **self.access) as client:
            listed = [each for each in patiently(client.list_strategies).strategies if each.name in strategies]
        return {
            each.name: {
                "strategy": each.name,
                "service": self.address,
                "checkpoint": each.checkpoint,
                "embedder": each.embedder,
                "version": each.version,
            }
            for each in listed
            if each.checkpoint not in _NO_CHECKPOINT
        }

    def score(self, strategies: Sequence[str], prompts: Sequence[str], progress: Progress) -> list[Scored]:
        """See `Source`."""
        return scored_by_service(strategies, prompts, self.address, self.concurrency, progress, access=self.access)


def win_rates(
    strategies: Sequence[str], prompts: Sequence[str], source: Source, cache: WinRateCache | None, progress: Progress
) -> list[Scored]:
    """Every strategy's, in the order given: kept ones where the cache has them, else the source's. Raises what `source` raises."""
    models = source.models(strategies)
    if not cache or not models:
        return source.score(strategies, prompts, progress)
    hashed = Prompts.of(prompts)
    found = {name: kept for name, model in models.items() if (kept := cache.get(model, hashed))}
    missing = [name for name in strategies if name not in found]
    # One by one where that costs nothing, so that a cut loses one strategy's win rates and not all.
    for group in ([missing] if missing else []) if source.at_once else [[name] for name in missing]:
        for scored in source.score(group, prompts, _after(len(found) * len(prompts), progress)):
            found[scored.strategy] = scored
            # Asked again: what was replaced meanwhile is kept under neither name.
            if (model := models.get(scored.strategy)) and source.models([scored.strategy]) == {scored.strategy: model}:
                cache.put(model, hashed, scored)
    progress(len(strategies) * len(prompts))
    return [found[name] for name in strategies]


def scored_by_options(prompts: Sequence[str], what: str, options: argparse.Namespace, settings: Settings, errors: Console) -> list[Scored]:
    """`win_rates` as the command's options say, with a bar on `errors` that is called `what`."""
    source: Source = Service(options.url, options.concurrency, access_of(options)) if options.url else Here(settings)
    cache = None if options.no_cache else WinRateCache(options.cache or cache_folder() / "win_rates", partial(warn, errors))
    with counted(what, len(prompts) * len(options.strategies), errors) as told:
        return win_rates(options.strategies, prompts, source, cache, told)


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """Those that `scored_by_options` reads, and `--settings`."""
    parser.add_argument("--strategies", type=names, required=True, help="names, joined by commas")
    parser.add_argument("--url", help="a running service's gRPC address; without it the strategies are built here")
    add_access_options(parser)
    parser.add_argument("--concurrency", type=whole_number(1), default=8, help="prompts asked at once of a service")
    parser.add_argument("--settings", type=Path, help="the settings file, for strategies that are built here")
    parser.add_argument("--cache", type=Path, help="the folder for kept win rates; pointsman/win_rates in the user's cache unless named")
    parser.add_argument("--no-cache", action="store_true", help="neither take kept win rates nor keep any")


def _after(before: int, progress: Progress) -> Progress:
    return lambda done: progress(before + done)
