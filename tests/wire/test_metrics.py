"""docs/metrics.md lists what /metrics says: every metric of both services as they start, with its type and labels, and no other."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry

from controller.app import _metrics, running
from gateway.observer import Observer
from gateway.service import serving
from pointsman.runtime.controller_settings import ControllerSettings, ShadowSettings
from pointsman.runtime.settings import Settings
from tests.support.metric_table import BOTH, CONTROLLER, GATEWAY, documented, documented_labels, exposed
from tests.wire.gateway.conftest import client_of, settings_for


async def test_the_gateways_metrics_are_those_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also over the wire."""
    observer = Observer()
    monkeypatch.setattr("gateway.service.Observer", lambda: observer)
    async with serving(settings_for(1)) as gateway, client_of(gateway) as client:
        assert exposed(observer.registry) == documented(BOTH, GATEWAY)
        assert {f"# TYPE {name} {shape.kind}" for name, shape in documented(BOTH, GATEWAY).items()} <= _types(await client.get("/metrics"))


async def test_the_controllers_metrics_are_those_of_the_table() -> None:
    """With a shadow strategy, which has metrics of its own; also over the wire, as they are served."""
    own = ControllerSettings(grpc_port=0, metrics_port=0, scorers="127.0.0.1:1", shadow=ShadowSettings(strategy="random"))
    settings, registry = Settings(controller=own, records_dir=Path("nowhere")), CollectorRegistry()
    with _metrics(settings, registry, None) as port:
        async with running(settings, registry), httpx.AsyncClient(trust_env=False) as client:
            assert exposed(registry) == documented(BOTH, CONTROLLER)
            answer = await client.get(f"http://127.0.0.1:{port}/metrics")
            assert {f"# TYPE {name} {shape.kind}" for name, shape in documented(BOTH, CONTROLLER).items()} <= _types(answer)


def test_of_every_label_the_document_says_what_bounds_it() -> None:
    """Once, and of no other."""
    labels = documented_labels()
    assert len(labels) == len(set(labels))
    assert set(labels) == {label for shape in documented().values() for label in shape.labels}


def _types(answer: httpx.Response) -> set[str]:
    assert answer.status_code == 200
    return {line for line in answer.text.splitlines() if line.startswith("# TYPE")}
