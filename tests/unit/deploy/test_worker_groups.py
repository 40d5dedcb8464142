"""How many pods the strategies' replicas take."""

from __future__ import annotations

from typing import Any

import pytest

from pointsman.rendering.worker_groups import Pods, group_of, pods_of
from pointsman.runtime.settings import Settings
from pointsman.runtime.settings_file import SettingsError


def _settings(strategies: dict[str, Any], groups: dict[str, Any] | None = None) -> Settings:
    return Settings.model_validate({"strategies": strategies, "scorers": {"worker_groups": groups} if groups else {}})


def test_replicas_with_gpus_go_where_gpus_are() -> None:
    """And those without don't."""
    settings = _settings({"mf": {}, "bert": {"num_gpus": 0.5}})
    assert (group_of("mf", settings), group_of("bert", settings)) == ("cpu", "gpu")


def test_a_strategy_may_name_its_group() -> None:
    """A group of its own keeps others' surges away."""
    settings = _settings({"mf": {"worker_group": "own"}, "random": {}}, {"cpu": {}, "own": {}})
    assert (group_of("mf", settings), group_of("random", settings)) == ("own", "cpu")


def test_pods_are_counted_by_what_fits_into_one() -> None:
    """Two of three replicas of 0.4 GPUs fit into a pod; the redeploy of all three takes as many again."""
    settings = _settings({"bert": {"num_gpus": 0.4, "min_replicas": 3, "max_replicas": 3}})
    assert pods_of("gpu", settings) == Pods(2, 3)
    assert pods_of("cpu", settings) == Pods(0, 0)


def test_thirds_of_a_gpu_fit_three_times() -> None:
    """Whatever floats add up to."""
    assert pods_of("gpu", _settings({"bert": {"num_gpus": 1 / 3, "min_replicas": 3, "max_replicas": 3}})).least == 1


def test_most_is_for_all_strategies_and_one_redeploy() -> None:
    """Ten and four replicas of a CPU each on pods of four: 14, and 10 more while the larger one is redeployed."""
    settings = _settings({"mf": {"num_cpus": 1, "max_replicas": 10}, "random": {"num_cpus": 1, "max_replicas": 4}})
    assert pods_of("cpu", settings) == Pods(1, 6)


def test_the_settings_may_say_how_many() -> None:
    """Over what is computed."""
    settings = _settings({"mf": {"max_replicas": 10}}, {"cpu": {"min_pods": 3, "max_pods": 5}})
    assert pods_of("cpu", settings) == Pods(3, 5)


@pytest.mark.parametrize(
    ("strategies", "groups", "wrong"),
    [
        ({"mf": {"worker_group": "cpus"}}, None, "strategies.mf.worker_group: no group is named 'cpus'; there are: cpu, gpu"),
        ({"mf": {"num_gpus": 1}}, {"cpu": {}}, "strategies.mf: no group of scorers.worker_groups is with GPUs"),
        ({"mf": {"num_cpus": 5}}, None, "strategies.mf: a replica takes 5 CPUs and 0 GPUs, a pod of the group 'cpu' has 4 and 0"),
        ({"mf": {}}, {"cpu": {"max_pods": 0}}, "scorers.worker_groups.cpu: max_pods (0) is below the pods that it needs at least (1)"),
    ],
)
def test_what_fits_nowhere_is_named(strategies: dict[str, Any], groups: dict[str, Any] | None, wrong: str) -> None:
    """By its key."""
    with pytest.raises(SettingsError) as error:
        pods_of("cpu", _settings(strategies, groups))
    assert str(error.value) == wrong
