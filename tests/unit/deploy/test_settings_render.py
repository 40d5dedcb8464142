"""`pointsman settings render`: one settings file becomes what pods read, and a RayService."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from pointsman.cli.app import build_app
from pointsman.cli.exits import CommandFailed
from pointsman.rendering.config_map import settings_in_cluster
from pointsman.rendering.ray_service import RAY_VERSION, ray_service
from pointsman.rendering.render import render
from pointsman.rendering.serve_config import serve_config
from pointsman.runtime.scorer_deployment import serving_variables
from pointsman.runtime.settings import Settings

_ROOT = Path(__file__).parents[3]


def _settings(**values: Any) -> Settings:
    return Settings.model_validate(values)


def test_pods_listen_to_each_other_and_not_to_themselves() -> None:
    """Where the file says nothing, and where it repeats the defaults, addresses are those of Services."""
    for settings in (_settings(), _settings(gateway={"host": "127.0.0.1"}, controller={"scorers": "127.0.0.1:9000"})):
        values = settings_in_cluster(settings)
        assert values["gateway"] == {"host": "0.0.0.0", "controllers": ["pointsman-controller:50052"]}
        assert values["controller"] == {"host": "0.0.0.0", "scorers": "pointsman-scorers-serve-svc:9000"}
        assert values["log"] == {"format": "json"}


def test_what_the_file_says_itself_stays() -> None:
    """Addresses, and everything else."""
    backends = {"strong": {"base_url": "https://a.example/v1", "model": "m", "key_file": "/run/secrets/k"}}
    settings = _settings(
        controller={"scorers": "elsewhere:9000", "max_batch": 4},
        backends=backends,
        pairs={"default": {"strong": "strong", "weak": "strong"}},
        strategies={"mf": {"max_replicas": 3}},
    )
    values = settings_in_cluster(settings)
    assert values["controller"] == {"host": "0.0.0.0", "scorers": "elsewhere:9000", "max_batch": 4}
    assert values["backends"] == backends
    assert Settings.model_validate(values).strategies == settings.strategies


def test_each_strategy_is_an_application_with_a_scale_of_its_own() -> None:
    """Replicas, target, GPU share, worker group."""
    settings = _settings(
        strategies={
            "mf": {"min_replicas": 2, "max_replicas": 2},
            "bert": {"max_replicas": 6, "num_gpus": 0.25, "target_busy": 0.5, "downscale_delay_s": 120},
        }
    )
    mf, bert = serve_config(settings)["applications"]
    assert (mf["name"], mf["route_prefix"], mf["deployments"][0]["num_replicas"]) == ("mf", "/mf", 2)
    assert mf["deployments"][0]["ray_actor_options"] == {"num_cpus": 0.5, "num_gpus": 0, "label_selector": {"worker-group": "cpu"}}
    scale = bert["deployments"][0]["autoscaling_config"]
    assert (scale["min_replicas"], scale["max_replicas"], scale["downscale_delay_s"]) == (1, 6, 120)
    assert scale["policy"] == {"policy_function": "scorers.scaling:ByLoad", "policy_kwargs": {"target_busy": 0.5}}
    assert bert["deployments"][0]["ray_actor_options"] == {"num_cpus": 0.5, "num_gpus": 0.25, "label_selector": {"worker-group": "gpu"}}


def test_only_what_a_replica_is_built_from_replaces_it() -> None:
    """Serve replaces replicas where an application's arguments change, and reconfigures them where `user_config` does."""

    def application(**values: Any) -> Any:
        return serve_config(_settings(strategies={"mf": values}))["applications"][0]

    plain = application()
    assert application(max_batch=4, min_replicas=2, max_replicas=5)["args"] == plain["args"]
    assert application(min_replicas=2, max_replicas=5)["deployments"][0]["user_config"] == plain["deployments"][0]["user_config"]
    assert application(max_batch=4)["deployments"][0]["user_config"] != plain["deployments"][0]["user_config"]
    for held in ({"checkpoint": "/models/mf"}, {"options": {"embedding_cache": 0}}, {"threads": 2}, {"nice": 3}):
        assert application(**held)["args"] != plain["args"]


@pytest.mark.parametrize("haproxy", [True, False])
def test_head_and_workers_have_serves_flags(haproxy: bool) -> None:
    """Serve reads them on every node."""
    settings = _settings(scorers={"haproxy": haproxy}, strategies={"mf": {}, "bert": {"num_gpus": 1}})
    cluster = ray_service(settings)["spec"]["rayClusterConfig"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    assert [group.get("groupName") for group in groups] == [None, "cpu", "gpu"]
    for group in groups:
        variables = {each["name"]: each["value"] for each in group["template"]["spec"]["containers"][0]["env"]}
        assert variables.items() >= serving_variables(haproxy=haproxy).items()


def test_ray_is_the_pinned_one() -> None:
    """The image's, by requirements/constraints.txt."""
    assert f"\nray=={RAY_VERSION}\n" in (_ROOT / "requirements/constraints.txt").read_text()


def test_the_command_writes_the_same_text_each_time(tmp_path: Path) -> None:
    """On standard output, or into a file."""
    file, out = tmp_path / "settings.yaml", tmp_path / "rendered.yaml"
    file.write_text("strategies: {mf: {}}\n")
    run = CliRunner().invoke(build_app(), ["settings", "render", "--settings", str(file), "--out", str(out)])
    assert run.exit_code == 0
    assert out.read_text() == render(_settings(strategies={"mf": {}}))
    assert CliRunner().invoke(build_app(), ["settings", "render", "--settings", str(file)]).stdout == out.read_text()
    documents = list(yaml.safe_load_all(out.read_text()))
    assert [document["kind"] for document in documents] == ["ConfigMap", "RayService"]
    as_json = CliRunner().invoke(build_app(), ["settings", "render", "--settings", str(file), "--json"]).stdout
    assert json.loads(as_json) == {"apiVersion": "v1", "kind": "List", "items": documents}


def test_settings_that_no_pod_can_hold_are_refused_by_name(tmp_path: Path) -> None:
    """Exit code 2, as for every wrong setting."""
    file = tmp_path / "settings.yaml"
    file.write_text("strategies: {bert: {num_gpus: 2}}\n")
    run = CliRunner().invoke(build_app(), ["settings", "render", "--settings", str(file)])
    assert isinstance(run.exception, CommandFailed)
    assert run.exception.exit_code == 2
    assert run.exception.message == "strategies.bert: a replica takes 0.5 CPUs and 2 GPUs, a pod of the group 'gpu' has 4 and 1"


def test_rendering_imports_neither_ray_nor_torch() -> None:
    """It runs where the command alone is installed."""
    program = "import sys, pointsman.rendering.render; print({'ray', 'torch', 'numpy', 'scorers'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", program], cwd=_ROOT, capture_output=True, text=True, check=True).stdout == "set()\n"
