"""The rendered file of Ray Serve is one that Ray Serve takes."""

from __future__ import annotations

from importlib import import_module

import pytest

from pointsman.rendering.serve_config import serve_config
from pointsman.runtime.settings import Settings


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
