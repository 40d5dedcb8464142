"""Which worker group a strategy's replicas run in, and how many pods that group needs for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pointsman.runtime.scorers_settings import WorkerGroupSettings
from pointsman.runtime.settings import Settings, StrategySettings
from pointsman.runtime.settings_file import SettingsError

_SLACK: Final = 1e-9  # a pod holds three thirds


@dataclass(frozen=True, slots=True)
class Pods:
    """Of a worker group."""

    least: int
    most: int


def group_of(strategy: str, settings: Settings) -> str:
    """The worker group's name. Raises `SettingsError` where there is none, or none of its pods can hold a replica."""
    groups, own = settings.scorers.worker_groups, settings.strategies[strategy]
    where = f"strategies.{strategy}"
    if own.worker_group is not None and own.worker_group not in groups:
        raise SettingsError(f"{where}.worker_group: no group is named {own.worker_group!r}; there are: {', '.join(sorted(groups))}")
    fitting = [name for name, group in groups.items() if bool(group.gpus) == (own.num_gpus > 0)]
    if own.worker_group is None and not fitting:
        raise SettingsError(f"{where}: no group of scorers.worker_groups is {'with' if own.num_gpus else 'without'} GPUs")
    name = own.worker_group or fitting[0]
    group = groups[name]
    if own.num_cpus > group.cpus or own.num_gpus > group.gpus:
        raise SettingsError(
            f"{where}: a replica takes {own.num_cpus:g} CPUs and {own.num_gpus:g} GPUs, "
            f"a pod of the group {name!r} has {group.cpus} and {group.gpus}"
        )
    return name


def pods_of(name: str, settings: Settings) -> Pods:
    """How many pods the group needs, at least and at most. Raises as `group_of` does."""
    group = settings.scorers.worker_groups[name]
    there = {strategy: own for strategy, own in settings.strategies.items() if group_of(strategy, settings) == name}
    at_least = pods_for(group, [(own, own.min_replicas) for own in there.values()])
    at_most = max((_with_redeploy(group, there, strategy) for strategy in there), default=0)
    least = at_least if group.min_pods is None else group.min_pods
    most = max(at_most, least) if group.max_pods is None else group.max_pods
    if most < least:
        raise SettingsError(f"scorers.worker_groups.{name}: max_pods ({most}) is below the pods that it needs at least ({least})")
    return Pods(least, most)


def _with_redeploy(group: WorkerGroupSettings, there: Mapping[str, StrategySettings], redeployed: str) -> int:
    # A redeploy begins the new replicas before it ends the old ones.
    return pods_for(group, [(own, own.max_replicas * (2 if name == redeployed else 1)) for name, own in there.items()])


def pods_for(group: WorkerGroupSettings, replicas: list[tuple[StrategySettings, int]]) -> int:
    """Pods that hold so many replicas of each: the largest first, each into the first pod that has room, as Ray packs them."""
    free: list[list[float]] = []
    for own, count in sorted(replicas, key=lambda each: (each[0].num_gpus, each[0].num_cpus), reverse=True):
        for _ in range(count):
            pod = next((pod for pod in free if pod[0] >= own.num_cpus - _SLACK and pod[1] >= own.num_gpus - _SLACK), None)
            if pod is None:
                free.append(pod := [float(group.cpus), float(group.gpus)])
            pod[0] -= own.num_cpus
            pod[1] -= own.num_gpus
    return len(free)
