"""What the RayService names exists: in the code, in Ray, and in the settings."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest
import yaml

from pointsman.rendering.names import GROUP_LABEL
from pointsman.rendering.pods import GPU
from scorers.registry import ROUTERS
from tests.unit.deploy.kustomize import OVERLAYS, named, of_kind, pods, ports, settings_of, template_of

pytestmark = pytest.mark.parametrize("overlay", OVERLAYS)


def _serve(overlay: str) -> Any:
    return yaml.safe_load(named(overlay, "RayService", "pointsman-scorers")["spec"]["serveConfigV2"])


def test_serve_builds_what_there_is(overlay: str) -> None:
    """Import paths, gRPC's servicer, strategies, and each strategy's worker group."""
    serve, settings = _serve(overlay), settings_of(overlay)
    assert [each["name"] for each in serve["applications"]] == list(settings.strategies)
    cluster = named(overlay, "RayService", "pointsman-scorers")["spec"]["rayClusterConfig"]
    groups = {group["labels"][GROUP_LABEL]: group for group in cluster["workerGroupSpecs"]}
    assert all(group["groupName"] == name for name, group in groups.items())
    for function in [*serve["grpc_options"]["grpc_servicer_functions"], *(each["import_path"] for each in serve["applications"])]:
        module, _, name = function.replace(":", ".").rpartition(".")
        assert callable(getattr(import_module(module), name))
    for each in serve["applications"]:
        assert each["name"] in ROUTERS
        options = each["deployments"][0]["ray_actor_options"]
        limits = groups[options["label_selector"][GROUP_LABEL]]["template"]["spec"]["containers"][0]["resources"]["limits"]
        assert (options["num_gpus"] > 0) == (GPU in limits)


def test_what_scales_is_scaled_by_our_own_policy(overlay: str) -> None:
    """Serve's own counts calls, of which a busy replica has as many as the controllers allow, and never sees their queues."""
    settings = settings_of(overlay)
    for each in _serve(overlay)["applications"]:
        own, scale = settings.strategies[each["name"]], each["deployments"][0].get("autoscaling_config")
        assert (scale is not None) == (own.max_replicas > own.min_replicas)
        if scale:
            module, _, name = scale["policy"]["policy_function"].partition(":")
            assert callable(getattr(import_module(module), name)(**scale["policy"]["policy_kwargs"]))


def test_ports_are_those_of_the_settings(overlay: str) -> None:
    """By their names, KubeRay's `serve-grpc` among them."""
    settings = settings_of(overlay)
    gateway, controller = settings.gateway, settings.controller
    assert ports(template_of(overlay, "pointsman-gateway")) == {"rest": gateway.rest_port, "grpc": gateway.grpc_port}
    assert ports(template_of(overlay, "pointsman-controller")) == {"grpc": controller.grpc_port, "metrics": controller.metrics_port}
    serve = _serve(overlay)
    assert (serve["grpc_options"]["port"], serve["http_options"]["port"]) == (settings.scorers.grpc_port, settings.scorers.http_port)
    ray = [template for name, template in pods(overlay) if name.startswith("pointsman-scorers")]
    for template in ray:
        assert ports(template).items() >= {"serve-grpc": settings.scorers.grpc_port, "serve": settings.scorers.http_port}.items()


def test_rays_health_needs_no_token(overlay: str) -> None:
    """The paths that its head and workers are asked for, by Ray's own source."""
    ray = find_spec("ray")
    assert ray
    assert ray.submodule_search_locations
    dashboard = f"{ray.submodule_search_locations[0]}/dashboard"
    for file, path in (("http_server_agent.py", "/api/local_raylet_healthz"), ("http_server_head.py", "/api/gcs_healthz")):
        with open(f"{dashboard}/{file}", encoding="utf-8") as source:
            assert f'"{path}"' in source.read()


def test_an_upgrade_of_the_scorers_is_a_new_cluster(overlay: str) -> None:
    """KubeRay's upgrade in steps has no route for gRPC; and the head, which holds no replica, is in no Service."""
    [service] = of_kind(overlay, "RayService")
    assert service["spec"]["upgradeStrategy"] == {"type": "NewCluster"}
    assert service["spec"]["excludeHeadPodFromServeSvc"] is True
    cluster = service["spec"]["rayClusterConfig"]
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    assert cluster["enableInTreeAutoscaling"] is True
    assert cluster["authOptions"] == {"mode": "token"}
    assert ("gcsFaultToleranceOptions" in cluster) == (overlay != "local")
