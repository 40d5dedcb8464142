"""What the documents list is what there is."""

from __future__ import annotations

import re
from pathlib import Path

from gateway import openapi
from pointsman.runtime.controller_settings import ControllerSettings
from pointsman.runtime.decision_headers import reason_name
from pointsman.runtime.errors import WIRE_FORMS
from pointsman.runtime.gateway_settings import GatewaySettings
from pointsman.runtime.settings_part import Part
from pointsman.v1 import routing_pb2

_ROOT = Path(__file__).parents[2]
_SAYS_NOTHING = re.compile(r"(as|what|read) the (message|backend)( says)?$")


def test_the_error_catalogue_lists_every_error_as_it_is() -> None:
    """Reason, gRPC code and HTTP status, each once."""
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([\w' ]+) \|", (_ROOT / "docs/errors.md").read_text(), re.MULTILINE)
    listed = {reason: (code, status) for reason, code, status in rows}
    actual = {form.reason: (form.grpc_code.name, str(form.http_status)) for form in WIRE_FORMS.values()}
    actual["BACKEND_REJECTED"] = (actual["BACKEND_REJECTED"][0], "the backend's")
    assert len(rows) == len(listed)
    assert listed == actual


def test_the_error_catalogue_says_what_to_do_about_each() -> None:
    """Something of one's own in a full sentence, by metrics, settings and commands that there are."""
    rows = re.findall(r"^\| `(\w+)` \|(?:[^|]*\|){3} ([^|]*) \|$", (_ROOT / "docs/errors.md").read_text(), re.MULTILINE)
    advice = dict(rows)
    assert advice.keys() == {form.reason for form in WIRE_FORMS.values()}
    assert len(set(advice.values())) == len(advice)
    assert {reason: said for reason, said in rows if len(said) < 40 or _SAYS_NOTHING.search(said)} == {}
    text = " ".join(advice.values())
    metrics, commands = ((_ROOT / f"docs/{name}.md").read_text() for name in ("metrics", "command"))
    assert {name for name in re.findall(r"\bpointsman_\w+", text) if name not in metrics} == set()
    assert {name for name in re.findall(r"`(pointsman [a-z]+)", text) if f"### {name}" not in commands} == set()
    parts: dict[str, type[Part]] = {"gateway": GatewaySettings, "controller": ControllerSettings}
    keys = re.findall(r"`(gateway|controller)\.(\w+)", text)
    assert [key for part, key in keys if key not in parts[part].model_fields] == []


def test_the_guide_to_decisions_names_every_reason() -> None:
    """Those of the contract, as headers and receipts have them."""
    guide = (_ROOT / "docs/how-it-decides.md").read_text()
    reasons = {reason_name(reason) for reason in routing_pb2.Reason.values() if reason != routing_pb2.REASON_UNSPECIFIED}
    assert {reason for reason in reasons if reason not in guide} == set()


def test_the_guide_to_the_api_names_every_endpoint_and_header() -> None:
    """Those of /openapi.json."""
    guide = (_ROOT / "docs/api.md").read_text()
    described = openapi.document()
    endpoints = {f"{method.upper()} {path}" for path, item in described["paths"].items() for method in item if method != "parameters"}
    assert {each for each in endpoints if f"`{each}`" not in guide} == set()
    assert {name for name in described["components"]["parameters"] if name != "traceparent" and f"`{name}`" not in guide} == set()
