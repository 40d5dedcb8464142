"""All that Kubernetes is told of the settings, as one YAML text."""

from __future__ import annotations

import json
from typing import Any, Final

import yaml

from pointsman.rendering.config_map import config_map
from pointsman.rendering.ray_service import ray_service
from pointsman.runtime.settings import Settings

_HEAD: Final = "# Rendered from the settings by `pointsman settings render` (make manifests): change those instead.\n"


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as such, and nothing by reference."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def render(settings: Settings) -> str:
    """A ConfigMap and a RayService. The same settings give the same text. Raises `SettingsError` where they can't be rendered."""
    return _HEAD + yaml.dump_all(_documents(settings), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def render_json(settings: Settings) -> str:
    """The same as one List, on one line."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": _documents(settings)}, ensure_ascii=False) + "\n"


def _documents(settings: Settings) -> list[dict[str, Any]]:
    return [config_map(settings), ray_service(settings)]
