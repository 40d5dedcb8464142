"""The pods of Ray's head and workers: what they may do, how they are asked, what they get."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pointsman import __version__
from pointsman.rendering.names import labels
from pointsman.runtime.scorer_deployment import serving_variables
from pointsman.runtime.scorers_settings import WorkerGroupSettings
from pointsman.runtime.settings import Settings

USER: Final = 10001
"""Of every process in every pod; the images need no user of that name."""
DASHBOARD_PORT: Final = 8265
AGENT_PORT: Final = 52365
METRICS_PORT: Final = 8080
GPU: Final = "nvidia.com/gpu"
_GCS_PORT: Final = 6379
_GRACE_S: Final = 120  # Serve drains its replicas, HAProxy its connections
TMP: Final = {"name": "tmp", "mountPath": "/tmp"}  # noqa: S108  # nosec B108  # a volume of the pod's own
_HOMELESS: Final = {
    # The root is read-only; whoever asks for a home, or for the name of a user that no file names, gets one.
    "HOME": TMP["mountPath"],
    "USER": "pointsman",
    "PYTHONDONTWRITEBYTECODE": "1",
}
CONTAINER_SECURITY: Final = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
_POD_SECURITY: Final = {
    "runAsNonRoot": True,
    "runAsUser": USER,
    "runAsGroup": USER,
    "fsGroup": USER,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def head_template(settings: Settings) -> dict[str, Any]:
    """Ray's head, with no replicas on it. KubeRay puts the autoscaler beside it, which needs the token of a service account."""
    ports = [
        {"name": "gcs-server", "containerPort": _GCS_PORT},
        {"name": "dashboard", "containerPort": DASHBOARD_PORT},
        {"name": "metrics", "containerPort": METRICS_PORT},
        *_serving_ports(settings),
    ]
    container = _container("ray-head", f"pointsman-scorers:{__version__}", settings, {"cpu": "2", "memory": "4Gi"})
    container["ports"] = ports
    container["readinessProbe"] = _http_probe("/api/gcs_healthz", DASHBOARD_PORT)
    return _template(container)


def worker_template(group: WorkerGroupSettings, settings: Settings) -> dict[str, Any]:
    """A pod of a worker group. It is ready, and so in the Service of those that serve, once Serve's proxy on it says so."""
    size = {"cpu": str(group.cpus), "memory": f"{round(group.memory_gib * 1024)}Mi"}
    image = "pointsman-scorers-cuda" if group.gpus else "pointsman-scorers"
    if group.gpus:
        size[GPU] = str(group.gpus)
    container = _container("ray-worker", f"{image}:{__version__}", settings, size)
    container["ports"] = [{"name": "metrics", "containerPort": METRICS_PORT}, *_serving_ports(settings)]
    container["readinessProbe"] = _http_probe("/-/healthz", settings.scorers.http_port)
    template = _template(container)
    spec = template["spec"]
    spec["automountServiceAccountToken"] = False
    spec["topologySpreadConstraints"] = [
        {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": {"app.kubernetes.io/component": "scorers"}},
        }
    ]
    if group.gpus:
        spec["tolerations"] = [{"key": GPU, "operator": "Exists", "effect": "NoSchedule"}]
    return template


def _serving_ports(settings: Settings) -> list[dict[str, Any]]:
    # KubeRay takes over into the Service what is called serve or serve-...; gRPC since 1.6.
    return [
        {"name": "serve", "containerPort": settings.scorers.http_port},
        {"name": "serve-grpc", "containerPort": settings.scorers.grpc_port},
    ]


def _container(name: str, image: str, settings: Settings, size: dict[str, str]) -> dict[str, Any]:
    variables = {**serving_variables(haproxy=settings.scorers.haproxy), **_HOMELESS}
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "env": environment(variables),
        "resources": {"requests": dict(size), "limits": dict(size)},
        "securityContext": CONTAINER_SECURITY,
        # The raylet's own word, by its agent, which asks nobody for the cluster's token.
        "startupProbe": {**_http_probe("/api/local_raylet_healthz", AGENT_PORT), "failureThreshold": 60},
        "livenessProbe": {**_http_probe("/api/local_raylet_healthz", AGENT_PORT), "periodSeconds": 10, "failureThreshold": 12},
        "volumeMounts": [TMP],
    }


def environment(variables: Mapping[str, str] = _HOMELESS) -> list[dict[str, str]]:
    """Variables as a container takes them; those that every one of ours needs, unless told."""
    return [{"name": key, "value": value} for key, value in variables.items()]


def _http_probe(path: str, port: int) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": port}, "periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": 2}


def _template(container: dict[str, Any]) -> dict[str, Any]:
    return {
        "metadata": {"labels": labels("scorers")},
        "spec": {
            "securityContext": _POD_SECURITY,
            # A container of Ray's that ended has lost its place in the cluster: the operator makes a new pod.
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": _GRACE_S,
            "enableServiceLinks": False,
            "containers": [container],
            "volumes": [{"name": TMP["name"], "emptyDir": {"sizeLimit": "4Gi"}}],
        },
    }
