"""A request's spans as a collector gets them: from the gateway's process to Ray's replica and the call of the LLM, one tree."""

from __future__ import annotations

import httpx

from tests.support.otlp_receiver import Receiver, parents
from tests.support.product import Product

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def test_a_collector_gets_one_tree_of_gateway_controller_scorer_and_backend(product: Product, spans: Receiver) -> None:
    """Each service by its name, under the caller's own span."""
    body = {"model": "router-mf-1", "max_tokens": 4, "messages": [{"role": "user", "content": "What is the capital of France?"}]}
    headers = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
    assert httpx.post(f"{product.rest}/v1/chat/completions", json=body, headers=headers, timeout=60).status_code == 200
    found = spans.trace(TRACE, 5)
    (model,) = [span["name"] for span in found if span["name"].startswith("chat ")]
    assert parents(found) == {
        "POST /v1/chat/completions": "?",  # the caller's, who exports elsewhere
        "pointsman.v1.RouteService/RelayWhole": "POST /v1/chat/completions",
        "score mf": "pointsman.v1.RouteService/RelayWhole",
        "win rate by mf": "score mf",
        model: "pointsman.v1.RouteService/RelayWhole",
    }
    assert {span["name"].split(" ")[0]: span["service"] for span in found} == {
        "POST": "pointsman-gateway",
        "pointsman.v1.RouteService/RelayWhole": "pointsman-controller",
        "score": "pointsman-controller",
        "win": "pointsman-scorers",
        "chat": "pointsman-controller",
    }
    assert "France" not in spans.written.read_text()
