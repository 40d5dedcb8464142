"""The scorers in Kubernetes: a RayService, for KubeRay 1.6 and newer."""

from __future__ import annotations

from typing import Any, Final

import yaml

from pointsman.rendering.names import GROUP_LABEL, REDIS_SECRET, SCORERS, labels
from pointsman.rendering.pods import CONTAINER_SECURITY, TMP, environment, head_template, worker_template
from pointsman.rendering.serve_config import serve_config
from pointsman.rendering.worker_groups import pods_of
from pointsman.runtime.settings import Settings

RAY_VERSION: Final = "2.60.0"
"""That of requirements/constraints.txt."""
_IDLE_S: Final = 300  # an empty pod goes after so long
_AUTOSCALER_SIZE: Final = {"cpu": "500m", "memory": "512Mi"}


def ray_service(settings: Settings) -> dict[str, Any]:
    """Raises `SettingsError` where a strategy fits in no worker group."""
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayService",
        "metadata": {"name": SCORERS, "labels": labels("scorers")},
        "spec": {
            # Another pod, image or Ray: a new cluster beside the old one, which goes when the new one serves. KubeRay's upgrade in
            # steps moves HTTP alone.
            "upgradeStrategy": {"type": "NewCluster"},
            "excludeHeadPodFromServeSvc": True,
            # What changes in here alone is deployed in the running cluster.
            "serveConfigV2": yaml.safe_dump(serve_config(settings), sort_keys=False, width=120),
            "rayClusterConfig": _cluster(settings),
        },
    }


def _cluster(settings: Settings) -> dict[str, Any]:
    started = {"object-store-memory": str(settings.scorers.object_store_bytes)}
    cluster: dict[str, Any] = {
        "rayVersion": RAY_VERSION,
        "authOptions": {"mode": "token"},
        "enableInTreeAutoscaling": True,
        "autoscalerOptions": {
            "version": "v2",
            "upscalingMode": "Default",
            "idleTimeoutSeconds": _IDLE_S,
            "resources": {"requests": dict(_AUTOSCALER_SIZE), "limits": dict(_AUTOSCALER_SIZE)},
            "securityContext": CONTAINER_SECURITY,
            "env": environment(),
            "volumeMounts": [TMP],
        },
    }
    if settings.scorers.gcs_redis:
        cluster["gcsFaultToleranceOptions"] = {
            "redisAddress": settings.scorers.gcs_redis,
            "redisPassword": {"valueFrom": {"secretKeyRef": {"name": REDIS_SECRET, "key": "password"}}},
        }
    cluster["headGroupSpec"] = {
        # No replica runs on the head: it would go with it.
        "rayStartParams": {"num-cpus": "0", "dashboard-host": "0.0.0.0", **started},  # noqa: S104  # a pod's own
        "template": head_template(settings),
    }
    cluster["workerGroupSpecs"] = [
        _worker_group(name, settings, started) for name in settings.scorers.worker_groups if pods_of(name, settings).most
    ]
    return cluster


def _worker_group(name: str, settings: Settings, started: dict[str, str]) -> dict[str, Any]:
    pods = pods_of(name, settings)
    return {
        "groupName": name,
        "labels": {GROUP_LABEL: name},
        "replicas": pods.least,
        "minReplicas": pods.least,
        "maxReplicas": pods.most,
        "rayStartParams": dict(started),
        "template": worker_template(settings.scorers.worker_groups[name], settings),
    }
