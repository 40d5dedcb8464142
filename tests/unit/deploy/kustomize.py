"""Builds an overlay of deploy/kubernetes as `kubectl kustomize` does, as far as our overlays use it.

Resources, components, `namespace`, and strategic-merge patches by file, where lists merge by the names of their items. Where `kubectl` is
there, a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from pointsman.runtime.settings import Settings

ROOT: Final = Path(__file__).parents[3]
KUBERNETES: Final = ROOT / "deploy/kubernetes"
OVERLAYS: Final = sorted(path.name for path in (KUBERNETES / "overlays").iterdir())
Document = dict[str, Any]
_CLUSTER_WIDE: Final = {"Namespace"}
_MERGED_BY: Final = {"containers": "name", "initContainers": "name", "volumes": "name", "env": "name", "volumeMounts": "mountPath"}
_KNOWN: Final = {"apiVersion", "kind", "resources", "components", "patches", "namespace"}


@cache
def built(overlay: str) -> list[Document]:
    """All documents of the overlay."""
    return _build(KUBERNETES / "overlays" / overlay)


def of_kind(overlay: str, *kinds: str) -> list[Document]:
    """Those of the kinds."""
    return [document for document in built(overlay) if document["kind"] in kinds]


def named(overlay: str, kind: str, name: str) -> Document:
    """The one of this kind and name. Raises `ValueError` where it isn't the only one."""
    [found] = [document for document in of_kind(overlay, kind) if document["metadata"]["name"] == name]
    return found


def pods(overlay: str) -> Iterator[tuple[str, Document]]:
    """The templates of all pods, each with a name for it: those of Deployments and StatefulSets, and of Ray's head and workers."""
    for document in of_kind(overlay, "Deployment", "StatefulSet"):
        yield document["metadata"]["name"], document["spec"]["template"]
    for document in of_kind(overlay, "RayService"):
        cluster = document["spec"]["rayClusterConfig"]
        yield f"{document['metadata']['name']} head", cluster["headGroupSpec"]["template"]
        for group in cluster["workerGroupSpecs"]:
            yield f"{document['metadata']['name']} {group['groupName']}", group["template"]


def template_of(overlay: str, name: str) -> Document:
    """That of one of these pods."""
    return dict(pods(overlay))[name]


def ports(template: Document) -> dict[str, int]:
    """The ports of its containers, by name."""
    return {port["name"]: port["containerPort"] for container in template["spec"]["containers"] for port in container.get("ports", [])}


def settings_of(overlay: str) -> Settings:
    """What its gateways and controllers read."""
    return Settings.model_validate(yaml.safe_load(named(overlay, "ConfigMap", "pointsman-settings")["data"]["settings.yaml"]))


def kustomization(folder: Path) -> Document:
    """The folder's kustomization, of which nothing is used that isn't known here."""
    found: Document = yaml.safe_load((folder / "kustomization.yaml").read_text())
    assert set(found) <= _KNOWN, f"{folder.name}: this build doesn't know {set(found) - _KNOWN}"
    return found


def documents(file: Path) -> list[Document]:
    """The YAML documents of a file."""
    return [document for document in yaml.safe_load_all(file.read_text()) if document]


def _build(folder: Path) -> list[Document]:
    asked = kustomization(folder)
    found: list[Document] = []
    for entry in [*asked.get("resources", []), *asked.get("components", [])]:
        path = folder / entry
        found += _build(path) if path.is_dir() else documents(path)
    for patch in asked.get("patches", []):
        assert set(patch) == {"path"}, "patches are files, merged strategically"
        for change in documents(folder / patch["path"]):
            [index] = [number for number, document in enumerate(found) if _identity(document) == _identity(change)]
            found[index] = _merged(found[index], change)
    if "namespace" in asked:
        for document in found:
            if document["kind"] not in _CLUSTER_WIDE:
                document["metadata"]["namespace"] = asked["namespace"]
    return found


def _identity(document: Document) -> tuple[str, str, str]:
    return document["apiVersion"], document["kind"], document["metadata"]["name"]


def _merged(below: Document, above: Document) -> Document:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict) and isinstance(old, dict):
            merged[key] = _merged(old, value)
        elif isinstance(value, list) and isinstance(old, list) and key in _MERGED_BY:
            merged[key] = _merged_list(old, value, _MERGED_BY[key])
        else:
            merged[key] = value
    return merged


def _merged_list(below: list[Document], above: list[Document], by: str) -> list[Document]:
    changes = {item[by]: item for item in above}
    kept = [_merged(item, changes.pop(item[by])) if item[by] in changes else item for item in below]
    return [*kept, *changes.values()]
