"""What the gateway answers is what its own /openapi.json says, whatever is asked."""

from __future__ import annotations

from typing import Any, Final

import pytest
import schemathesis
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks

from gateway.openapi import document
from tests.fuzz import texts
from tests.fuzz.campaign import Campaign
from tests.fuzz.services import Services

_OPERATIONS: Final = [(method.upper(), path) for path, item in document()["paths"].items() for method in item if method != "parameters"]
_CHECKS: Final = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
    checks.missing_required_header,
    checks.unsupported_method,
    checks.allow_header_conformance,
]


def _with_model(both: tuple[Any, str]) -> Any:
    """Most strings are no model; with one that is, a case comes through to a backend."""
    case, model = both
    if isinstance(case.body, dict):
        case.body = {**case.body, "model": model}
    return case


def _check(case: Any) -> None:
    response = case.call(timeout=30)
    if response.status_code >= 500:
        # Only a caller whose own deadline is too short may be told so.
        assert response.status_code == 504, response.text
        assert "x-request-timeout" in case.headers
    case.validate_response(response, checks=_CHECKS)


@pytest.mark.parametrize(("method", "path"), _OPERATIONS)
def test_an_operation_answers_as_the_document_says(campaign: Campaign, services: Services, method: str, path: str) -> None:
    """Asked rightly and wrongly, by the document's own schemas."""
    operation = schemathesis.openapi.from_url(f"{services.rest}/openapi.json")[path][method]
    right, wrong = (operation.as_strategy(mode) for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE))
    cases = st.one_of(st.tuples(right, st.sampled_from(texts.MODELS)).map(_with_model), right, wrong)
    campaign.run(f"REST {method} {path}", cases, _check, long=1_000 if method == "POST" else 100, short=15)
    services.check()
