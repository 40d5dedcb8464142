"""Tokens and money: read from the backend's answer as it passes, priced by the settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from controller.estimate import answered_characters
from pointsman.runtime.backend_settings import BackendSettings
from pointsman.v1 import routing_pb2

_LONGEST_LINE = 1 << 20  # bytes kept of a line that hasn't ended
_NAMES = (("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens"))


class UsageWatch:
    """Looks at a stream's pieces as they pass: the last `usage` that an event had, and how long the texts are. Changes nothing."""

    def __init__(self) -> None:
        self._unfinished = b""
        self.usage: routing_pb2.Usage | None = None
        self.characters = 0
        """Of what was answered; counted until there is a usage."""

    def feed(self, piece: bytes) -> None:
        """One piece, cut anywhere."""
        seen = self._unfinished + piece if self._unfinished else piece
        complete, _, self._unfinished = seen.rpartition(b"\n")
        if len(self._unfinished) > _LONGEST_LINE:
            self._unfinished = b""
        for line in complete.splitlines():
            has_usage = b'"usage"' in line
            if line.startswith(b"data:") and (has_usage or self.usage is None):
                event = _loads(line[5:])
                self.usage = usage_of(event) or self.usage
                self.characters += answered_characters(event)


def usage_of(answer: Any) -> routing_pb2.Usage | None:
    """The tokens that an answer, or an event, says it took: chat's, completions' and embeddings' names of them, or a response's.

    The last event of a streamed response has them inside its `response`.
    """
    if isinstance(answer, dict) and isinstance(answer.get("response"), dict):
        answer = answer["response"]
    usage = answer.get("usage") if isinstance(answer, dict) else None
    if not isinstance(usage, dict):
        return None
    prompt, completion = (usage.get(names[0], usage.get(names[1])) for names in _NAMES)
    return routing_pb2.Usage(prompt_tokens=_count(prompt), completion_tokens=_count(completion))


def cost_of(usage: routing_pb2.Usage, backend: str, strong: str, backends: Mapping[str, BackendSettings]) -> routing_pb2.Cost | None:
    """What the tokens cost at `backend`, and what they would have at `strong`; None where a price is missing or currencies differ."""
    here, there = backends[backend].prices, backends[strong].prices
    if here is None or there is None or here.currency != there.currency:
        return None

    def money(prompt_price: float, completion_price: float) -> float:
        return (usage.prompt_tokens * prompt_price + usage.completion_tokens * completion_price) / 1e6

    return routing_pb2.Cost(
        amount=money(here.prompt_per_million, here.completion_per_million),
        always_strong=money(there.prompt_per_million, there.completion_per_million),
        currency=here.currency,
    )


def _loads(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return None


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53 else 0
