"""The overlays of deploy/kubernetes are whole: every file is there and used, and what is rendered is what the settings give."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pointsman.rendering.render import render
from pointsman.runtime.settings_file import load_settings
from tests.unit.deploy.kustomize import KUBERNETES, OVERLAYS, built, documents, kustomization

_FILES = sorted(KUBERNETES.rglob("*.yaml"))


def _kustomizations() -> Iterator[Path]:
    return (path.parent for path in _FILES if path.name == "kustomization.yaml")


def test_there_are_the_overlays_that_the_docs_name() -> None:
    """A laptop, GPU nodes, production."""
    assert OVERLAYS == ["gpu", "local", "production"]


@pytest.mark.parametrize("file", _FILES, ids=lambda file: str(file.relative_to(KUBERNETES)))
def test_every_file_is_yaml_and_is_used(file: Path) -> None:
    """By a kustomization, or as settings that are rendered."""
    assert documents(file)
    named = {
        (folder / entry).resolve()
        for folder in _kustomizations()
        for part in ("resources", "components", "patches")
        for each in kustomization(folder).get(part, [])
        for entry in [each["path"] if isinstance(each, dict) else each]
    }
    assert all(path.exists() for path in named)
    used = file in named or file.parent in named or file.parent.parent.name == "overlays"
    assert used
    assert file in named or file.name in ("kustomization.yaml", "settings.yaml")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_rendered_file_is_what_the_settings_give(overlay: str) -> None:
    """Where this fails: make manifests."""
    folder = KUBERNETES / "overlays" / overlay
    assert (folder / "rendered.yaml").read_text() == render(load_settings(folder / "settings.yaml"))


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_two_objects_have_one_name(overlay: str) -> None:
    """Of a kind; and all but the namespace itself are in it."""
    names = [(document["kind"], document["metadata"]["name"]) for document in built(overlay)]
    assert len(names) == len(set(names))
    assert {document["metadata"].get("namespace") for document in built(overlay) if document["kind"] != "Namespace"} == {"pointsman"}


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl isn't there: only this test's own build is checked")
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kubectl_builds_the_same(overlay: str) -> None:
    """So that the other tests, which look at our own build, say something about the real one."""
    run = subprocess.run(["kubectl", "kustomize", str(KUBERNETES / "overlays" / overlay)], capture_output=True, text=True, check=True)
    assert not run.stderr
    theirs = list(yaml.safe_load_all(run.stdout))
    assert _by_name(theirs) == _by_name(built(overlay))


def _by_name(found: list[Any]) -> dict[tuple[str, str], Any]:
    return {(each["kind"], each["metadata"]["name"]): _in_order(each) for each in found}


def _in_order(value: Any) -> Any:
    """Lists of named things by their names: a patch's new items come first with kubectl, and last with us."""
    if isinstance(value, dict):
        return {key: _in_order(each) for key, each in value.items()}
    if isinstance(value, list):
        ordered = [_in_order(each) for each in value]
        return sorted(ordered, key=lambda each: str(each["name"])) if all(isinstance(e, dict) and "name" in e for e in ordered) else ordered
    return value
