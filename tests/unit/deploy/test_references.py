"""What the manifests name exists: in the code, in the settings, and in one another."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

import pointsman
from gateway import openapi
from pointsman.v1 import route_service_pb2
from tests.unit.deploy.kustomize import OVERLAYS, ROOT, Document, named, of_kind, pods, ports, settings_of, template_of

pytestmark = pytest.mark.parametrize("overlay", OVERLAYS)


def test_what_containers_run_is_there(overlay: str) -> None:
    """`python -m` a module of ours, with the settings file that is mounted."""
    ours = [c for _, template in pods(overlay) for c in template["spec"]["containers"] if "python" in c.get("command", [])]
    assert {"gateway", "controller"} <= {container["name"] for container in ours}
    for container in ours:
        command = container["command"]
        module = command[command.index("-m") + 1].replace(".", "/")
        assert (ROOT / module / "__main__.py").is_file() or "__main__" in (ROOT / f"{module}.py").read_text()
        assert command[command.index("--settings") + 1] == "/etc/pointsman/settings.yaml"
        assert {"name": "settings", "mountPath": "/etc/pointsman", "readOnly": True} in container["volumeMounts"]


def test_our_images_are_of_this_version(overlay: str) -> None:
    """All of one release."""
    images = {c["image"] for _, template in pods(overlay) for c in template["spec"]["containers"] if c["image"].startswith("pointsman-")}
    assert {image.split(":")[1] for image in images} == {pointsman.__version__}


def test_probes_ask_what_answers(overlay: str) -> None:
    """A port of the container, and a path that is served."""
    ours = {path for path, item in openapi.document()["paths"].items() if "get" in item}
    rays = {"/api/gcs_healthz", "/api/local_raylet_healthz", "/-/healthz"}
    for name, template in pods(overlay):
        open_ports = ports(template)
        for container in template["spec"]["containers"]:
            for probe in (container[kind] for kind in ("startupProbe", "livenessProbe", "readinessProbe") if kind in container):
                asked = probe.get("httpGet") or probe.get("grpc") or probe["tcpSocket"]
                assert asked["port"] in {*open_ports, *open_ports.values(), 52365}, name
                assert asked.get("path") in {None, *(rays if name.startswith("pointsman-scorers") else ours)}, name


def test_pods_find_each_other(overlay: str) -> None:
    """The addresses in the settings are names of Services, and the controllers' is headless."""
    settings = settings_of(overlay)
    [controllers] = settings.gateway.controllers
    name, _, port = controllers.partition(":")
    service = named(overlay, "Service", name)["spec"]
    assert service["clusterIP"] == "None"
    assert int(port) in {each["port"] for each in service["ports"]}
    [scorers] = of_kind(overlay, "RayService")
    assert settings.controller.scorers == f"{scorers['metadata']['name']}-serve-svc:{settings.scorers.grpc_port}"
    if settings.scorers.gcs_redis and not settings.scorers.gcs_redis.split(":")[0].endswith(".example"):
        name, _, port = settings.scorers.gcs_redis.partition(":")
        assert int(port) in {each["port"] for each in named(overlay, "Service", name)["spec"]["ports"]}


def test_services_have_pods_and_their_ports(overlay: str) -> None:
    """Whatever selects pods selects some."""
    for service in of_kind(overlay, "Service"):
        template = _selected(overlay, service["spec"]["selector"])
        assert {each["targetPort"] for each in service["spec"]["ports"]} <= set(ports(template)), service["metadata"]["name"]
    for document in of_kind(overlay, "PodDisruptionBudget", "Deployment", "StatefulSet"):
        assert _selected(overlay, document["spec"]["selector"]["matchLabels"])
    for scale in of_kind(overlay, "HorizontalPodAutoscaler"):
        target = scale["spec"]["scaleTargetRef"]
        scaled = named(overlay, target["kind"], target["name"])["spec"]
        assert "replicas" not in scaled
        containers = {container["name"] for container in scaled["template"]["spec"]["containers"]}
        assert {metric["containerResource"]["container"] for metric in scale["spec"]["metrics"]} <= containers
    for pod in of_kind(overlay, "Deployment"):
        assert named(overlay, "ServiceAccount", pod["spec"]["template"]["spec"]["serviceAccountName"])


def _selected(overlay: str, labels: dict[str, str]) -> Document:
    return next(template for _, template in pods(overlay) if labels.items() <= template["metadata"]["labels"].items())


def test_monitors_scrape_what_has_metrics(overlay: str) -> None:
    """A Service's or a pod's port, by name."""
    for monitor in of_kind(overlay, "ServiceMonitor"):
        labels = monitor["spec"]["selector"]["matchLabels"].items()
        [service] = [each for each in of_kind(overlay, "Service") if labels <= each["metadata"]["labels"].items()]
        assert {each["port"] for each in monitor["spec"]["endpoints"]} <= {port["name"] for port in service["spec"]["ports"]}
    for monitor in of_kind(overlay, "PodMonitor"):
        template = _selected(overlay, monitor["spec"]["selector"]["matchLabels"])
        assert {each["port"] for each in monitor["spec"]["podMetricsEndpoints"]} <= set(ports(template))


def test_routes_lead_to_what_is_served(overlay: str) -> None:
    """Services' ports, paths and gRPC services; and the two routes share no hostname, which their listener would refuse."""
    routes = of_kind(overlay, "HTTPRoute", "GRPCRoute")
    hostnames = [hostname for route in routes for hostname in route["spec"]["hostnames"]]
    assert len(hostnames) == len(set(hostnames))
    paths = set(openapi.document()["paths"])
    services = {f"pointsman.v1.{name}" for name in route_service_pb2.DESCRIPTOR.services_by_name} | {"grpc.health.v1.Health"}
    for route in routes:
        for rule in route["spec"]["rules"]:
            for backend in rule["backendRefs"]:
                assert backend["port"] in {port["port"] for port in named(overlay, "Service", backend["name"])["spec"]["ports"]}
            for match in rule["matches"]:
                if "method" in match:
                    assert match["method"]["service"] in services
                else:
                    assert any(path.startswith(match["path"]["value"]) for path in paths)


def test_files_that_the_settings_name_are_mounted(overlay: str) -> None:
    """In the container that reads them, writable where it writes."""
    values = settings_of(overlay).model_dump(mode="json", exclude_unset=True)
    for service, parts in (("gateway", ["gateway"]), ("controller", ["controller", "backends", "records_dir"])):
        container = template_of(overlay, f"pointsman-{service}")["spec"]["containers"][0]
        mounts = {mount["mountPath"]: mount.get("readOnly", False) for mount in container["volumeMounts"]}
        for path in (path for part in parts for path in _paths(values.get(part))):
            [mount] = [each for each in mounts if path == each or path.startswith(f"{each}/")]
            assert mounts[mount] == (mount not in ("/var/lib/pointsman/records", "/tmp")), path


def _paths(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for each in value.values():
            yield from _paths(each)
    elif isinstance(value, str) and re.match(r"^/\w", value):
        yield value


def test_what_is_mounted_is_a_volume(overlay: str) -> None:
    """And every volume is mounted; claims are there."""
    for name, template in pods(overlay):
        mounted = {mount["name"] for container in template["spec"]["containers"] for mount in container.get("volumeMounts", [])}
        claims = {"data"} if name == "pointsman-redis" else set()
        assert mounted == {volume["name"] for volume in template["spec"]["volumes"]} | claims, name
        for volume in template["spec"]["volumes"]:
            assert len(volume) == 2, f"{name}: {volume['name']} is of one kind"
            if "persistentVolumeClaim" in volume:
                assert named(overlay, "PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"])


def test_pods_may_drain(overlay: str) -> None:
    """Kubernetes waits for longer than a service takes to stop."""
    settings = settings_of(overlay)
    for service, drain_s in (("gateway", settings.gateway.drain_s), ("controller", settings.controller.drain_s)):
        spec = template_of(overlay, f"pointsman-{service}")["spec"]
        before = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert spec["terminationGracePeriodSeconds"] >= before + drain_s + 10
