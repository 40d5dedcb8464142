"""What the documents list is what there is."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from gateway import openapi
from pointsman.runtime.decision_headers import reason_name
from pointsman.runtime.errors import WIRE_FORMS
from pointsman.v1 import routing_pb2

_ROOT = Path(__file__).parents[2]


def test_the_error_catalogue_lists_every_error_as_it_is() -> None:
    """Reason, gRPC code and HTTP status, each once."""
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([\w' ]+) \|", (_ROOT / "docs/errors.md").read_text(), re.MULTILINE)
    listed = {reason: (code, status) for reason, code, status in rows}
    actual = {form.reason: (form.grpc_code.name, str(form.http_status)) for form in WIRE_FORMS.values()}
    actual["BACKEND_REJECTED"] = (actual["BACKEND_REJECTED"][0], "the backend's")
    assert len(rows) == len(listed)
    assert listed == actual


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


def test_every_link_to_a_heading_leads_to_one() -> None:
    """By the anchors that GitHub makes of headings: lower case, without punctuation, dashes for spaces."""
    for document in [*_ROOT.glob("*.md"), *_ROOT.glob("docs/**/*.md")]:
        for link, anchor in re.findall(r"\]\((?!https?:)([^)#]*\.md)?#([^)]+)\)", document.read_text()):
            target = document.parent / link if link else document
            headings = re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE)
            anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in anchors, f"{document.name}: {link}#{anchor}"


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
