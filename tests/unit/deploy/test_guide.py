"""docs/kubernetes.md says how to make every Secret that the manifests name, with the keys that they read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.unit.deploy.kustomize import OVERLAYS, ROOT, built

_GUIDE: Final = (ROOT / "docs/kubernetes.md").read_text()
_CREATED: Final = re.findall(r"create secret (?:generic|tls) (\S+)((?:[^\n\\#]|\\\n)*)", _GUIDE)


def _named(value: Any) -> Iterator[tuple[str, str | None]]:
    """Secrets of a manifest, and of each the keys that it names."""
    if isinstance(value, list):
        for each in value:
            yield from _named(each)
    elif isinstance(value, dict):
        if "secretName" in value:
            yield value["secretName"], None
            yield from ((value["secretName"], item["key"]) for item in value.get("items", []))
        for key in ("secretKeyRef", "credentials"):
            if key in value:
                yield value[key]["name"], value[key]["key"]
        yield from ((each["name"], None) for each in value.get("certificateRefs", []))
        for each in value.values():
            yield from _named(each)


def _keys(arguments: str) -> set[str]:
    return set(re.findall(r"--from-(?:literal|file)=([\w.]+)", arguments))


def test_every_secret_is_made_once() -> None:
    """With its keys."""
    made = {name: _keys(arguments) for name, arguments in _CREATED}
    assert len(made) == len(_CREATED)
    named = {each for overlay in OVERLAYS for document in built(overlay) for each in _named(document)}
    assert {name for name, _ in named} == set(made)
    assert {(name, key) for name, key in named if key and key not in made[name]} == set()


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_files_of_secrets_are_their_keys(overlay: str) -> None:
    """What the settings name below a Secret's folder is a key that the guide puts into it."""
    folders = {
        "controller": "pointsman-controller-token",
        "keys": "pointsman-keys",
        "redis": "pointsman-redis",
        "backends": "pointsman-backends",
    }
    made = {name: _keys(arguments) for name, arguments in _CREATED}
    text = (ROOT / f"deploy/kubernetes/overlays/{overlay}/settings.yaml").read_text()
    found = re.findall(r"/run/secrets/pointsman/(\w+)/([\w.]+)", text)
    assert found
    assert [each for each in found if each[1] not in made[folders[each[0]]]] == []


def test_the_guide_names_every_overlay_and_component() -> None:
    """In its first lines."""
    folder = ROOT / "deploy/kubernetes"
    assert all(f"`{overlay}`" in _GUIDE for overlay in OVERLAYS)
    assert all(component.name in _GUIDE for component in (folder / "components").iterdir())
