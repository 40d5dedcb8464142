"""What the documents list is what there is."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from gateway import openapi
from pointsman.runtime.controller_settings import ControllerSettings
from pointsman.runtime.errors import WIRE_FORMS
from pointsman.runtime.gateway_settings import GatewaySettings
from pointsman.runtime.settings_part import Part

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


def test_the_readmes_tree_names_every_folder() -> None:
    """And none that isn't there."""
    text = (_ROOT / "README.md").read_text()
    tree = re.search(r"## The tree\n\n```text\n(.*?)```", text, re.DOTALL)
    assert tree
    named = {line.split("/")[0] for line in tree[1].splitlines() if not line.startswith(" ")}
    tracked = subprocess.run(["git", "ls-files"], cwd=_ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    assert named == {path.split("/")[0] for path in tracked if "/" in path and not path.startswith(".")}


def test_every_link_in_the_documents_leads_somewhere() -> None:
    """Links to files of the repository."""
    for document in [*_ROOT.glob("*.md"), *_ROOT.glob("docs/**/*.md")]:
        for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", document.read_text()):
            assert (document.parent / link).exists(), f"{document.name}: {link}"


def test_the_guide_to_the_api_names_every_endpoint_and_header() -> None:
    """Those of /openapi.json."""
    guide = (_ROOT / "docs/api.md").read_text()
    described = openapi.document()
    endpoints = {f"{method.upper()} {path}" for path, item in described["paths"].items() for method in item if method != "parameters"}
    assert {each for each in endpoints if f"`{each}`" not in guide} == set()
    assert {name for name in described["components"]["parameters"] if name != "traceparent" and f"`{name}`" not in guide} == set()
