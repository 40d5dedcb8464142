"""What no pod of ours may do, and what each must say."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.unit.deploy.kustomize import KUBERNETES, OVERLAYS, Document, built, of_kind, pods


def _containers(overlay: str) -> Iterator[tuple[str, Document]]:
    for name, template in pods(overlay):
        for container in [*template["spec"]["containers"], *template["spec"].get("initContainers", [])]:
            yield f"{name}: {container['name']}", container


def _wrong(overlay: str, right: dict[str, bool]) -> list[str]:
    assert right, overlay
    return [name for name, is_right in right.items() if not is_right]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_images_have_a_version(overlay: str) -> None:
    """Never `latest`, nor none."""
    pinned = re.compile(r"^[a-z0-9./-]+:\d+\.\d+\.\d+[\w.-]*$")
    assert _wrong(overlay, {name: bool(pinned.match(each["image"])) for name, each in _containers(overlay)}) == []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_containers_have_no_privilege(overlay: str) -> None:
    """Pod Security's restricted profile, and a root that nobody writes to."""
    expected = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert _wrong(overlay, {name: each["securityContext"] == expected for name, each in _containers(overlay)}) == []
    [service] = of_kind(overlay, "RayService")
    assert service["spec"]["rayClusterConfig"]["autoscalerOptions"]["securityContext"] == expected


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_pods_run_as_nobody_in_particular(overlay: str) -> None:
    """A user id that isn't root's, and nothing of the node's."""
    for name, template in pods(overlay):
        spec = template["spec"]
        assert spec["securityContext"]["runAsNonRoot"], name
        assert spec["securityContext"]["runAsUser"] >= 10_000, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec), name
        assert not [volume for volume in spec["volumes"] if "hostPath" in volume], name


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_containers_have_requests_and_limits(overlay: str) -> None:
    """Of memory and CPU."""

    def limited(container: Document) -> bool:
        return all({"cpu", "memory"} <= set(container["resources"].get(part, {})) for part in ("requests", "limits"))

    assert _wrong(overlay, {name: limited(each) for name, each in _containers(overlay)}) == []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_containers_that_serve_are_asked_how_they_are(overlay: str) -> None:
    """Those with ports."""
    serving = {name: each for name, each in _containers(overlay) if "ports" in each}
    assert _wrong(overlay, {name: {"livenessProbe", "readinessProbe"} <= set(each) for name, each in serving.items()}) == []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_only_rays_head_has_a_token_of_the_cluster(overlay: str) -> None:
    """Its autoscaler asks for pods."""
    given = {name for name, template in pods(overlay) if template["spec"].get("automountServiceAccountToken") is not False}
    assert given == {"pointsman-scorers head"}
    assert all(account["automountServiceAccountToken"] is False for account in of_kind(overlay, "ServiceAccount"))


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_secret_is_in_the_files(overlay: str) -> None:
    """Secrets are named, never given."""
    assert of_kind(overlay, "Secret") == []
    named = [
        env for _, container in _containers(overlay) for env in container.get("env", []) if re.search("KEY|TOKEN|PASSWORD", env["name"])
    ]
    assert [env for env in named if env["name"] != "TOKENIZERS_PARALLELISM"] == []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_nobody_reaches_a_pod_unless_a_policy_says_so(overlay: str) -> None:
    """Everything is denied by default, in both directions."""
    [deny] = [each for each in of_kind(overlay, "NetworkPolicy") if each["metadata"]["name"] == "default-deny"]
    assert deny["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_namespace_enforces_the_restricted_profile(overlay: str) -> None:
    """Whatever else comes into it."""
    [namespace] = of_kind(overlay, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_there_is_something_to_look_at() -> None:
    """In every overlay, and no registry's host in any file."""
    assert all(len(built(overlay)) > 15 for overlay in OVERLAYS)
    assert not [path for path in KUBERNETES.rglob("*.yaml") if re.search(r"image: [^/\s]+\.[^/\s]+/", path.read_text())]
