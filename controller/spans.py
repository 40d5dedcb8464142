"""What the controller's spans say: of the decision, and of each call to a backend."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from pointsman.runtime import tracing
from pointsman.runtime.backend_settings import BackendSettings
from pointsman.runtime.decision_headers import reason_name, tier_name
from pointsman.runtime.tracing import CONTEXT, NO_SPAN, ActiveSpan
from pointsman.v1 import routing_pb2

_OPERATIONS: Final = {"chat/completions": "chat", "responses": "chat", "completions": "text_completion", "embeddings": "embeddings"}
"""Endpoints as `gen_ai.operation.name` has them."""
_PORTS: Final = {"http": 80, "https": 443}


def note_decision(receipt: routing_pb2.Receipt) -> None:
    """On the current span, which is the request's."""
    decision, span = receipt.decision, tracing.current()
    if decision.tier != routing_pb2.TIER_UNSPECIFIED:
        span.note(
            pointsman__strategy=decision.strategy,
            pointsman__pair=decision.pair,
            pointsman__tier=tier_name(decision.tier),
            pointsman__reason=reason_name(decision.reason),
            pointsman__backend=decision.backend,
            pointsman__strong_win_rate=decision.strong_win_rate if decision.HasField("strong_win_rate") else None,
            pointsman__threshold=decision.threshold if decision.HasField("threshold") else None,
        )
    if receipt.error:
        span.fail(receipt.error)


def begun_call(backend: BackendSettings, name: str, endpoint: str) -> ActiveSpan:
    """Of one call to a backend."""
    if not tracing.is_on():
        return NO_SPAN
    url = urlsplit(backend.base_url)
    operation = _OPERATIONS.get(endpoint, "chat")
    return tracing.begin(
        f"{operation} {backend.model}",
        "CLIENT",
        gen_ai__operation__name=operation,
        gen_ai__provider__name="openai",  # whose API they speak, whoever they are
        gen_ai__request__model=backend.model,
        pointsman__backend=name,
        server__address=url.hostname or "",
        server__port=url.port or _PORTS.get(url.scheme, 0),
    )


def note_usage(span: ActiveSpan, receipt: routing_pb2.Receipt) -> None:
    """What the answer took, where that is known."""
    if receipt.HasField("usage"):
        span.note(gen_ai__usage__input_tokens=receipt.usage.prompt_tokens, gen_ai__usage__output_tokens=receipt.usage.completion_tokens)


def headers_under(span: ActiveSpan, headers: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    """The headers of a call, whose trace context is the span's; without spans the caller's own goes on."""
    if span is NO_SPAN:
        return headers
    return [*((name, value) for name, value in headers if name.lower() not in CONTEXT), *span.carrier().items()]
