"""The rendered file of Ray Serve is one that Ray Serve takes."""

from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace

import pytest

from pointsman.rendering.serve_config import serve_config
from pointsman.runtime.scorer_deployment import deployment_options
from pointsman.runtime.settings import Settings, StrategySettings


@pytest.mark.filterwarnings("default")  # Ray's own, at its import
def test_serve_takes_the_file_and_builds_what_it_names() -> None:
    """By Serve's own schema; each application's import path and arguments give an application with the deployment that is overridden."""
    from ray.serve import Application
    from ray.serve.config import AutoscalingConfig
    from ray.serve.schema import ServeDeploySchema

    settings = Settings.model_validate(
        {"strategies": {"mf": {"threads": 2}, "bert": {"max_replicas": 4, "num_gpus": 0.25}, "random": {"options": {"seed": 1}}}}
    )
    taken = ServeDeploySchema.model_validate(serve_config(settings))
    assert [each.name for each in taken.applications] == ["mf", "bert", "random"]
    for each in taken.applications:
        module, _, name = each.import_path.partition(":")
        application = getattr(import_module(module), name)(each.args)
        assert isinstance(application, Application)
        [overridden] = each.deployments
        assert application._bound_deployment.name == overridden.name
        if isinstance(overridden.autoscaling_config, dict):
            AutoscalingConfig(**overridden.autoscaling_config)


@pytest.mark.filterwarnings("default")  # Ray's own, at its import, and of a setting whose successor it doesn't read yet
def test_serve_takes_our_policy_by_value_and_holds_it_to_bounds_and_delays() -> None:
    """Imported by its name, pickled, made with its arguments. Serve's default would count calls (docs/decisions/0023)."""
    from ray.serve._private.autoscaling_state import _resolve_policy_callable
    from ray.serve.autoscaling_policy import _apply_autoscaling_config
    from ray.serve.config import AutoscalingConfig

    options = deployment_options(StrategySettings(max_replicas=9, target_busy=0.5, upscale_delay_s=0, downscale_delay_s=60))
    config = AutoscalingConfig(**options["autoscaling_config"])
    assert config.metrics_interval_s < config.look_back_period_s
    policy = _apply_autoscaling_config(_resolve_policy_callable(config.policy))

    def replicas(busy: float, waiting: float) -> int:
        told = {name: {"a": value} for name, value in (("busy", busy), ("waiting", waiting), ("seconds_per_prompt", 0.01))}
        context = SimpleNamespace(config=config, policy_state={}, current_num_replicas=1, target_num_replicas=1, total_num_requests=0)
        context.aggregated_metrics, context.running_replicas = told, ["a"]
        count, _ = policy(context)
        return int(count)

    assert replicas(1.0, 100.0) == 4  # (1 + 1) / 0.5
    assert replicas(0.0, 0.0) == 1  # fewer only after the delay
