"""Every object of every overlay is what its API takes, field by field: what a schema doesn't list is refused."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
import kubernetes_validate
import pytest
import yaml

from pointsman.runtime.settings import Settings
from pointsman.runtime.settings_file import load_settings
from tests.unit.deploy.kustomize import KUBERNETES, OVERLAYS, Document, built

_CRDS: Final = Path(__file__).parent / "crds"
_KUBERNETES: Final = ["1.31", "1.37"]
"""The oldest that the manifests are for (docs/kubernetes.md), and the newest that the package has."""


@cache
def _custom() -> dict[tuple[str, str], jsonschema_rs.Validator]:
    """Validators of custom resources, by apiVersion and kind."""
    found = [json.loads(path.read_text()) for path in _CRDS.glob("*.json")]
    return {(f"{each['group']}/{each['version']}", each["kind"]): jsonschema_rs.validator_for(_strict(each["schema"])) for each in found}


def _strict(schema: Any) -> Any:
    """The schema, which refuses what it doesn't list: an API server would drop that, and say nothing."""
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {key: _strict(value) for key, value in schema.items()}
    open_ended = {"additionalProperties", "x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource"}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object" and not open_ended & set(schema):
        strict["additionalProperties"] = False
    return strict


def _errors(document: Document) -> list[str]:
    validator = _custom()[document["apiVersion"], document["kind"]]
    # The schema of metadata is the API server's own.
    checked = {**document, "metadata": {}}
    return [f"{'.'.join(str(part) for part in error.instance_path)}: {error.message}" for error in validator.iter_errors(checked)]


def _is_custom(document: Document) -> bool:
    return (document["apiVersion"], document["kind"]) in _custom()


@pytest.mark.parametrize("version", _KUBERNETES)
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kubernetes_own_objects_are_valid(overlay: str, version: str) -> None:
    """By Kubernetes' own schemas, in their strict form."""
    for document in built(overlay):
        if not _is_custom(document):
            assert kubernetes_validate.validate(document, version, strict=True) == version


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_custom_resources_are_valid(overlay: str) -> None:
    """By the schemas of KubeRay, the Gateway API and the Prometheus operator."""
    custom = [document for document in built(overlay) if _is_custom(document)]
    assert "RayService" in {document["kind"] for document in custom}
    assert {document["metadata"]["name"]: errors for document in custom if (errors := _errors(document))} == {}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_settings_are_valid_as_given_and_as_rendered(overlay: str) -> None:
    """By the services' own schema, which knows every key."""
    given = load_settings(KUBERNETES / "overlays" / overlay / "settings.yaml")
    [rendered] = [document for document in built(overlay) if document["kind"] == "ConfigMap"]
    settings = Settings.model_validate(yaml.safe_load(rendered["data"]["settings.yaml"]))
    assert (settings.strategies, settings.backends, settings.scorers) == (given.strategies, given.backends, given.scorers)


@pytest.mark.parametrize("where", ["spec.upgradeStrategi", "spec.rayClusterConfig.headGroupSpec.template.spec.containrs"])
def test_a_field_that_isnt_there_is_found(where: str) -> None:
    """So that the test above isn't empty."""
    [service] = [document for document in built("local") if document["kind"] == "RayService"]
    wrong = json.loads(json.dumps(service))
    *parents, field = where.split(".")
    inner = wrong
    for parent in parents:
        inner = inner[parent]
    inner[field] = {}
    assert len(_errors(wrong)) == 1


def test_a_wrong_field_of_a_deployment_is_found() -> None:
    """The same for Kubernetes' own."""
    [gateway] = [each for each in built("local") if each["kind"] == "Deployment" and each["metadata"]["name"] == "pointsman-gateway"]
    wrong = json.loads(json.dumps(gateway))
    wrong["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="readinesProbe"):
        kubernetes_validate.validate(wrong, _KUBERNETES[0], strict=True)
