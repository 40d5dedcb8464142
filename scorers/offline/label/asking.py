"""Asks a tier of a pair through the service, with patience for what waiting may mend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import grpc
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, wait_random_exponential

from pointsman.client import AsyncClient, RouteError, Unreachable
from pointsman.client.requests import ChatOptions
from pointsman.v1 import route_service_pb2, routing_pb2
from scorers.offline.label.job import Job, Payer
from scorers.offline.label.judge import Chat

_MENDED_BY_WAITING: Final = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.DEADLINE_EXCEEDED)
_LONGEST_WAIT_S: Final = 120.0
_BACKOFF: Final = wait_random_exponential(multiplier=0.25, max=10)
_EVERY_ROWS: Final = frozenset({"BACKEND_AUTH", "BACKEND_UNREACHABLE", "UNKNOWN_PAIR", "UNIMPLEMENTED", "UNAVAILABLE"})


@dataclass(frozen=True, slots=True)
class Said:
    """An answer with its receipt. `text` is None where it is no use, and `problem` says why."""

    text: str | None
    finish_reason: str
    receipt: routing_pb2.Receipt
    problem: str = ""


def ends_the_run(error: RouteError) -> bool:
    """Whether the next row would fail the same way."""
    return isinstance(error, Unreachable) or error.reason in _EVERY_ROWS


class Asker:
    """Each call has `tries`; between them it waits as long as the service says (Retry-After), and at least a random while that grows."""

    def __init__(self, client: AsyncClient, job: Job, tries: int) -> None:
        self._client = client
        self._job = job
        self._retrying = AsyncRetrying(
            retry=retry_if_exception(_is_mended_by_waiting), wait=_wait, stop=stop_after_attempt(tries), reraise=True
        )

    async def ask(self, who: Payer, chat: Chat) -> Said:
        """The judge is asked at temperature 0, a tier at the job's or its backend's own. Raises `RouteError` after the last try."""
        job = self._job
        options: ChatOptions = {"pair": job.pair, "tier": "weak" if who == "weak" else "strong", "max_tokens": job.max_tokens}
        if who == "judge":
            options |= {"pair": job.judge, "max_tokens": job.judge_max_tokens, "temperature": 0.0}
        elif job.temperature is not None:
            options["temperature"] = job.temperature
        return _said(await self._retrying(self._client.chat, chat, **options), job.models[who], who)


def _said(response: route_service_pb2.ChatCompletionResponse, model: str, who: Payer) -> Said:
    decision = response.receipt.decision
    tier = routing_pb2.TIER_WEAK if who == "weak" else routing_pb2.TIER_STRONG
    if (decision.tier, decision.model) != (tier, model):
        return Said(None, "", response.receipt, "ANOTHER_MODEL_ANSWERED")  # pinned by an operator, or the settings changed
    if not response.choices or not response.choices[0].message.HasField("content"):
        return Said(None, "", response.receipt, "NO_TEXT")
    return Said(response.choices[0].message.content, response.choices[0].finish_reason, response.receipt)


def _is_mended_by_waiting(error: BaseException) -> bool:
    return isinstance(error, RouteError) and error.code in _MENDED_BY_WAITING and _retry_after_s(error) <= _LONGEST_WAIT_S


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    return max(_retry_after_s(error), _BACKOFF(state))


def _retry_after_s(error: BaseException | None) -> float:
    return float(error.metadata.get("retry_after_s", 0)) if isinstance(error, RouteError) else 0.0
