"""GET /openapi.json: the document is valid, and it is what the gateway serves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from gateway.controller_client import ControllerClient
from gateway.crowd import Crowd
from gateway.limits import Limits
from gateway.observer import Observer
from gateway.openapi import document
from gateway.places import Places
from gateway.readiness import Readiness
from gateway.service import routes
from gateway.throttle import Throttle
from pointsman.runtime.decision_headers import decision_headers
from pointsman.runtime.errors import InvalidModelString
from pointsman.runtime.shedding import Shedding
from tests.wire.gateway.conftest import settings_for
from tests.wire.gateway.scripted_controller import DECISION, ScriptedController, plays


def _nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _nodes(child)


def _referred(reference: str) -> Any:
    node: Any = document()
    for key in reference.removeprefix("#/").split("/"):
        node = node[key]
    return node


def _schema(name: str) -> dict[str, Any]:
    """A schema with those that it refers to beside it."""
    return {**document(), "$ref": f"#/components/schemas/{name}"}


async def test_it_has_every_route_with_its_methods_and_no_other() -> None:
    """HEAD goes with GET, and OpenAPI knows no `:path`."""
    controller: Any = ControllerClient(["127.0.0.1:1"])
    health: Any = None
    limits, observer = Limits(settings_for(1)), Observer()
    places = Places(limits, Shedding(lambda: None, observer.registry), Throttle(observer.registry), Crowd(limits))
    table: list[Any] = list(routes(limits, controller, Readiness(controller, health, "s"), observer, lambda handler: handler, places))
    served = {route.path.replace(":path", ""): {method.lower() for method in route.app.methods} - {"head"} for route in table}
    await controller.close()
    assert {path: set(item) - {"parameters"} for path, item in document()["paths"].items()} == served


async def test_what_it_lists_answers(rest: httpx.AsyncClient) -> None:
    """At its path and with its method; the document itself is what is in the module. The scripted controller has no batches, opinions or
    statistics."""
    for path, item in document()["paths"].items():
        for method in set(item) - {"parameters"}:
            answer = await rest.request(method, path.replace("{model_id}", "router-mf-0.5"), content=b'{"prompts": [], "prompt": ""}')
            assert answer.status_code in (200, 501, 503), path
    assert (await rest.get("/openapi.json")).json() == document()


async def test_its_schemas_are_those_of_answers(rest: httpx.AsyncClient, controller: ScriptedController) -> None:
    """Models, errors of ours from both sides of the edge, and the headers of a decision."""
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.validate((await rest.get("/v1/models")).json(), _schema("ModelList"))
    jsonschema.validate((await rest.get("/v1/models/router-mf-0.5")).json(), _schema("Model"))
    jsonschema.validate((await rest.get("/nothing")).json(), _schema("Error"))
    controller.relay = plays(InvalidModelString("no", param="model"))
    jsonschema.validate((await rest.post("/v1/responses", content=b"{}")).json(), _schema("Error"))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"error": {"message": "no type"}}, _schema("Error"))
    answered = document()["paths"]["/v1/chat/completions"]["post"]["responses"]["2XX"]["headers"]
    assert {name for name, _ in decision_headers(DECISION)} <= set(answered)


def test_it_is_openapi_and_its_schemas_are_json_schema() -> None:
    """Every reference leads somewhere, and everything it could refer to is referred to."""
    jsonschema, models = pytest.importorskip("jsonschema"), pytest.importorskip("fastapi.openapi.models")
    models.OpenAPI.model_validate(document())
    for node in _nodes(document()):
        if isinstance(schema := node.get("schema"), dict):
            jsonschema.Draft202012Validator.check_schema(schema)
    for schema in document()["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    references = {node["$ref"] for node in _nodes(document()) if "$ref" in node}
    assert all(_referred(reference) for reference in references)
    components = document()["components"]
    # What asks for a key is referred to by its bare name.
    assert {name for each in document()["security"] for name in each} == set(components.pop("securitySchemes"))
    assert {f"#/components/{kind}/{name}" for kind, named in components.items() for name in named} == references


def test_an_event_streams_schema_holds_for_the_stream_and_for_one_event() -> None:
    """Tools read it either way."""
    jsonschema = pytest.importorskip("jsonschema")
    for path in ("/v1/chat/completions", "/v1/completions", "/v1/responses"):
        schema = document()["paths"][path]["post"]["responses"]["2XX"]["content"]["text/event-stream"]["schema"]
        for value in ("data: {}\n\n", {"event": "message", "data": "{}"}):
            jsonschema.validate(value, schema)
