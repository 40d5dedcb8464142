"""The settings as gateways and controllers read them in Kubernetes: a ConfigMap."""

from __future__ import annotations

from typing import Any

import yaml

from pointsman.rendering.names import CONTROLLERS, SCORERS_SERVICE, SETTINGS, SETTINGS_KEY, labels
from pointsman.runtime.settings import Settings


def config_map(settings: Settings) -> dict[str, Any]:
    """What the settings file names, and where pods differ from one machine: addresses and JSON logs.

    What the file sets otherwise than the default stays as it is, a host or an address too.
    """
    text = yaml.safe_dump(settings_in_cluster(settings), sort_keys=False, allow_unicode=True, width=120)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": SETTINGS, "labels": labels("settings")},
        "data": {SETTINGS_KEY: text},
    }


def settings_in_cluster(settings: Settings) -> dict[str, Any]:
    """The values of that file, without the defaults that it doesn't name. They validate as the settings they are from do."""
    in_pods: dict[str, dict[str, Any]] = {
        "log": {"format": "json"},
        "gateway": {"host": "0.0.0.0", "controllers": [f"{CONTROLLERS}:{settings.controller.grpc_port}"]},  # noqa: S104  # a pod's own
        "controller": {"host": "0.0.0.0", "scorers": f"{SCORERS_SERVICE}:{settings.scorers.grpc_port}"},  # noqa: S104
    }
    defaults, named = Settings(), settings.model_dump(mode="json", exclude_unset=True)
    for part, values in in_pods.items():
        own = getattr(settings, part)
        changed = {key: value for key, value in values.items() if getattr(own, key) == getattr(getattr(defaults, part), key)}
        named[part] = {**named.get(part, {}), **changed}
    return named
