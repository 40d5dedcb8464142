"""What Prometheus sees of the stack."""

from __future__ import annotations

import json
import time
import urllib.request
from collections import Counter
from typing import Any, Final

from tests.compose import stack

_PROMETHEUS: Final = "http://127.0.0.1:9090/api/v1"
_SEEN_WITHIN_S: Final = 90
_EXPECTED: Final = {"pointsman-gateway": 1, "pointsman-controller": 2}


def by_prometheus() -> str:
    """One line. Raises `TimeoutError` where it doesn't come to see every gateway and controller, and every rule evaluated well."""
    stack.up_prometheus()
    stack.wait_healthy(_SEEN_WITHIN_S)
    until = time.monotonic() + _SEEN_WITHIN_S
    while (found := _up()) != _EXPECTED or (health := _rules()).keys() != {"ok"}:
        if time.monotonic() > until:
            raise TimeoutError(f"Prometheus sees {found} of {_EXPECTED}; rules: {_rules()}")
        time.sleep(2)
    told = ", ".join(f"{job} {count}" for job, count in found.items())
    return f"Prometheus, of the profile observability, scrapes {told}, and evaluates {health.total()} rules."


def _up() -> dict[str, int]:
    targets = _asked("targets")["activeTargets"]
    return dict(Counter(each["labels"]["job"] for each in sorted(targets, key=str, reverse=True) if each["health"] == "up"))


def _rules() -> Counter[str]:
    return Counter(rule["health"] for group in _asked("rules")["groups"] for rule in group["rules"])


def _asked(what: str) -> Any:
    with urllib.request.urlopen(f"{_PROMETHEUS}/{what}", timeout=10) as answer:
        return json.load(answer)["data"]
