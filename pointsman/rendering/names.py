"""The names that rendered files and those beside them in deploy/kubernetes share."""

from __future__ import annotations

from typing import Any, Final

SETTINGS: Final = "pointsman-settings"
"""The ConfigMap."""
SETTINGS_KEY: Final = "settings.yaml"
CONTROLLERS: Final = "pointsman-controller"
"""The headless Service of the controllers: its name stands for every controller's address."""
SCORERS: Final = "pointsman-scorers"
"""The RayService."""
SCORERS_SERVICE: Final = f"{SCORERS}-serve-svc"
"""What KubeRay makes of it: the Service of the pods that serve."""
REDIS_SECRET: Final = "pointsman-redis"  # noqa: S105  # a name
GROUP_LABEL: Final = "worker-group"
"""Ray's label of the nodes of a worker group, by which a strategy's replicas find it."""


def labels(component: str) -> dict[str, Any]:
    """Of an object, and of the pods that it makes."""
    return {"app.kubernetes.io/name": "pointsman", "app.kubernetes.io/component": component, "app.kubernetes.io/part-of": "pointsman"}
