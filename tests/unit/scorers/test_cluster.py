"""How Ray's machines find and know one another."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from pointsman.runtime.errors import Unavailable
from pointsman.runtime.scorers_settings import ClusterSettings, ScorersSettings
from pointsman.runtime.settings import Settings
from pointsman.runtime.settings_file import SettingsError
from scorers.cluster import cluster_environment, cpus, node_address
from scorers.instance import claimed_instance, free_ports, ray_environment
from scorers.worker import join

_TOKEN = "canary-0123456789abcdef"


@pytest.fixture
def cluster(tmp_path: Path) -> ClusterSettings:
    """Whose head is this machine's loopback."""
    (tmp_path / "token").write_text(f"{_TOKEN}\n")
    return ClusterSettings(head="127.0.0.1:6399", token_file=tmp_path / "token")


def test_all_machines_have_one_token_and_the_heads_port(cluster: ClusterSettings) -> None:
    """And Ray's own ports, which a container has to itself."""
    own = cluster_environment(cluster)
    assert own == {"RAY_AUTH_TOKEN": _TOKEN, "RAY_GCS_SERVER_PORT": "6399"}
    settings = ScorersSettings(grpc_port=free_ports(1)[0], cluster=cluster)
    with claimed_instance(settings) as instance:
        variables = ray_environment(instance, settings)
    assert variables.items() >= own.items()
    assert not [name for name in variables if "INGRESS_M" in name and "PORT" in name]


def test_a_ray_of_one_machine_has_a_token_of_its_own_each_time() -> None:
    """And free ports."""
    settings = ScorersSettings(grpc_port=free_ports(1)[0])
    with claimed_instance(settings) as instance:
        first, second = ray_environment(instance, settings), ray_environment(instance, settings)
    assert first["RAY_AUTH_TOKEN"] != second["RAY_AUTH_TOKEN"]
    assert "RAY_GCS_SERVER_PORT" not in first
    assert int(first["RAY_SERVE_DIRECT_INGRESS_MIN_GRPC_PORT"]) >= 20_000


def test_a_machines_address_is_the_one_by_which_it_reaches_the_head(cluster: ClusterSettings) -> None:
    """Nothing is sent to find out."""
    assert node_address(None) == "127.0.0.1"
    assert node_address(cluster) == "127.0.0.1"
    with pytest.raises(Unavailable, match=r"scorers\.cluster\.head: nowhere\.invalid can't be looked up"):
        node_address(cluster.model_copy(update={"head": "nowhere.invalid:6379"}))


def test_cpus_are_enough_for_all_replicas_and_their_successors() -> None:
    """Unless they are named."""
    settings = Settings.model_validate({"strategies": {"mf": {"max_replicas": 40, "num_cpus": 1}}})
    assert cpus(settings) == 160
    assert cpus(settings.model_copy(update={"scorers": ScorersSettings(num_cpus=3)})) == 3


def test_a_cluster_needs_a_token_and_takes_one(tmp_path: Path) -> None:
    """From the environment or a file; one that can't be had is named, and so is a worker's missing head."""
    for wrong in ({"head": "h:1"}, {"head": "h:1", "token_env": "A", "token_file": "b"}, {"head": "h", "token_env": "A"}):
        with pytest.raises(ValidationError):
            ClusterSettings.model_validate(wrong)
    missing = ClusterSettings(head="127.0.0.1:6399", token_file=tmp_path / "none")
    with pytest.raises(SettingsError, match="none can't be read"):
        cluster_environment(missing)
    with pytest.raises(SettingsError, match=r"scorers\.cluster: not set"):
        join(Settings(), Settings)
