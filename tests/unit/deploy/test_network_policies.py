"""Who reaches whom, by the network policies of each overlay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.deploy.kustomize import OVERLAYS, Document, of_kind, pods

_RAY = frozenset({"scorers", "head"})
Labels = dict[str, str]


def _parts(overlay: str) -> dict[str, Labels]:
    """The labels of each part's pods; KubeRay adds ray.io/node-type."""
    found: dict[str, Labels] = {}
    for name, template in pods(overlay):
        labels = dict(template["metadata"]["labels"])
        component = labels["app.kubernetes.io/component"]
        if component == "scorers":
            head = name.endswith("head")
            found["head" if head else "scorers"] = {**labels, "ray.io/node-type": "head" if head else "worker"}
        else:
            found[component] = labels
    return found


def _matches(selector: Document, labels: Labels) -> bool:
    by_expression = all(labels.get(each["key"]) in each["values"] for each in selector.get("matchExpressions", []))
    return by_expression and selector.get("matchLabels", {}).items() <= labels.items()


def _allows(rules: list[Document], peers: str, other: Labels | None, port: int) -> bool:
    """Whether a rule lets through: to or from pods of the namespace, or, for None, the rest of the world."""
    for rule in rules:
        if "ports" in rule and port not in {each["port"] for each in rule["ports"]}:
            continue
        if peers not in rule:
            return True
        for peer in rule[peers]:
            if other is None and ("ipBlock" in peer or "namespaceSelector" in peer):
                return True
            if other is not None and set(peer) == {"podSelector"} and _matches(peer["podSelector"], other):
                return True
    return False


def _rules(overlay: str, labels: Labels, direction: str) -> list[Any]:
    policies = [each["spec"] for each in of_kind(overlay, "NetworkPolicy") if _matches(each["spec"]["podSelector"], labels)]
    return [rule for policy in policies if direction.capitalize() in policy["policyTypes"] for rule in policy.get(direction, [])]


def _reached(overlay: str) -> Iterator[tuple[str, str, int]]:
    parts = _parts(overlay)
    for source, source_labels in parts.items():
        for target, target_labels in parts.items():
            for port in (6060, 6379, 9000, 50051, 50052, 50053):
                goes = _allows(_rules(overlay, source_labels, "egress"), "to", target_labels, port)
                comes = _allows(_rules(overlay, target_labels, "ingress"), "from", source_labels, port)
                if goes and comes and not {source, target} <= _RAY:
                    yield source, target, port


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_each_part_reaches_only_the_next(overlay: str) -> None:
    """Gateways controllers, controllers scorers; and those that share a Redis that one."""
    expected = {("gateway", "controller", 50052), ("controller", "scorers", 9000), ("controller", "head", 9000)}
    if "redis" in _parts(overlay):
        expected |= {("gateway", "redis", 6379), ("scorers", "redis", 6379), ("head", "redis", 6379)}
    assert set(_reached(overlay)) == expected


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_world_reaches_the_edge_alone(overlay: str) -> None:
    """From outside the namespace; and controllers' metrics and Ray's dashboard by those that the policies name."""
    open_to = {
        (part, port)
        for part, labels in _parts(overlay).items()
        for port in (6060, 6379, 8000, 8080, 8265, 9000, 50051, 50052, 50053)
        if _allows(_rules(overlay, labels, "ingress"), "from", None, port)
    }
    named_alone = {("controller", 50053), *((part, port) for part in _RAY for port in (8000, 8080, 8265))}
    assert open_to - named_alone == {("gateway", 6060), ("gateway", 50051)}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_scorers_reach_nobody_outside(overlay: str) -> None:
    """Where they don't share a Redis outside; gateways don't either. Controllers reach backends, over TLS."""
    parts = _parts(overlay)
    redis_outside = {6379} if overlay == "production" else set()

    def outside(part: str) -> set[int]:
        return {port for port in (80, 443, 6379) if _allows(_rules(overlay, parts[part], "egress"), "to", None, port)}

    assert outside("scorers") == redis_outside
    assert outside("gateway") == redis_outside
    assert outside("controller") == {443}
