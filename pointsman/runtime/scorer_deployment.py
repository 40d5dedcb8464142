"""How a strategy is deployed on Ray Serve: one truth for `pointsman up`, which deploys it, and for the files of Kubernetes.

Neither Ray nor the scorers are imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pointsman.runtime.settings import StrategySettings
from pointsman.runtime.tracing import TracingSettings

DEPLOYMENT: Final = "Scorer"
"""The one deployment of each application."""
IMPORT_PATH: Final = "scorers.serve:build"
"""What builds an application from `application_args`, where Serve is told by a file."""
SERVICER: Final = "pointsman.scorer.v1.scorer_service_pb2_grpc.add_ScorerServiceServicer_to_server"
LOGGING: Final[Mapping[str, Any]] = {"log_level": "WARNING", "enable_access_log": False}
SCALED_BY: Final = "scorers.scaling:ByLoad"
"""How many replicas there are to be, between the bounds. Serve's controller runs it."""
_TOLD_EVERY_S: Final = 2
"""How often a replica tells Serve its load. Ray announces a variable for it, which 2.60 doesn't read yet."""
_LOOK_BACK_S: Final = 6
"""Of which it is the mean."""
_SCALED_BY: Final = {
    "min_replicas",
    "max_replicas",
    "target_busy",
    "upscale_delay_s",
    "downscale_delay_s",
    "worker_group",
}
"""What Serve itself scales and places by: no replica is told, so that scaling doesn't stir those there are."""


def deployment_options(settings: StrategySettings) -> dict[str, Any]:
    """The deployment's options, by the names that `serve.deployment` and Serve's files share; JSON values alone."""
    scale: dict[str, Any] = {"num_replicas": settings.min_replicas}
    if settings.max_replicas != settings.min_replicas:
        scale = {
            "autoscaling_config": {
                "min_replicas": settings.min_replicas,
                "max_replicas": settings.max_replicas,
                "policy": {"policy_function": SCALED_BY, "policy_kwargs": {"target_busy": settings.target_busy}},
                "upscale_delay_s": settings.upscale_delay_s,
                "downscale_delay_s": settings.downscale_delay_s,
                "metrics_interval_s": _TOLD_EVERY_S,
                "look_back_period_s": _LOOK_BACK_S,
            }
        }
    return {
        "name": DEPLOYMENT,
        # Never fewer than the scorer's own queue takes, so that its limit, in prompts, is the one that counts.
        "max_ongoing_requests": settings.max_queued + settings.max_batch,
        "max_queued_requests": settings.max_batch,
        "max_surge_percent": 100,
        "ray_actor_options": {"num_cpus": settings.num_cpus, "num_gpus": settings.num_gpus},
        "user_config": settings.model_dump(mode="json", exclude=_SCALED_BY),
        **scale,
    }


def held_by_replica(settings: StrategySettings) -> dict[str, Any]:
    """What a replica is built from once: where one of these changes, it is replaced."""
    return {"checkpoint": settings.checkpoint, "options": dict(settings.options), "threads": settings.threads, "nice": settings.nice}


def application_args(strategy: str, settings: StrategySettings, tracing: TracingSettings) -> dict[str, Any]:
    """The arguments of `IMPORT_PATH`. Serve replaces replicas where its file's arguments have changed."""
    traced = {"tracing": tracing.model_dump(mode="json")} if tracing.otlp_endpoint else {}
    return {"strategy": strategy, **held_by_replica(settings), **traced}


def serving_variables(*, haproxy: bool) -> dict[str, str]:
    """The variables that every process of Ray needs, on a machine of its own or among others; Ray reads them when it starts."""
    on = "1" if haproxy else "0"
    return {
        # Nothing of ours is fetched unasked, so the only word to the hub is for a checkpoint that names a repository.
        "HF_HUB_DISABLE_TELEMETRY": "1",
        # A replica tokenises in its model's thread: the library's own threads would take other replicas' cores.
        "TOKENIZERS_PARALLELISM": "false",
        "RAY_USAGE_STATS_ENABLED": "0",
        # Ray's default is 15: replicas, and HAProxy, would run only while gateways, controllers and all others on the machine don't.
        "RAY_worker_niceness": "0",
        "RAY_SERVE_ENABLE_HA_PROXY": on,
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": on,
    }
