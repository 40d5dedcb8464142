"""Ray Serve's own file: one application per strategy, as a RayService takes it (`serveConfigV2`) and `serve deploy` too."""

from __future__ import annotations

from typing import Any

from pointsman.rendering.names import GROUP_LABEL
from pointsman.rendering.worker_groups import group_of
from pointsman.runtime.scorer_deployment import IMPORT_PATH, LOGGING, SERVICER, application_args, deployment_options
from pointsman.runtime.settings import Settings


def serve_config(settings: Settings) -> dict[str, Any]:
    """Raises `SettingsError` where a strategy fits in no worker group."""
    return {
        "proxy_location": "EveryNode",
        "http_options": {"host": "0.0.0.0", "port": settings.scorers.http_port},  # noqa: S104  # a pod's own
        # Without a timeout of Serve's: each call has its caller's deadline.
        "grpc_options": {"port": settings.scorers.grpc_port, "grpc_servicer_functions": [SERVICER]},
        "logging_config": dict(LOGGING),
        "applications": [_application(strategy, settings) for strategy in settings.strategies],
    }


def _application(strategy: str, settings: Settings) -> dict[str, Any]:
    own = settings.strategies[strategy]
    options = deployment_options(own)
    placed = {**options["ray_actor_options"], "label_selector": {GROUP_LABEL: group_of(strategy, settings)}}
    return {
        "name": strategy,
        "route_prefix": f"/{strategy}",
        "import_path": IMPORT_PATH,
        "args": application_args(strategy, own, settings.tracing),
        "deployments": [{**options, "ray_actor_options": placed}],
    }
