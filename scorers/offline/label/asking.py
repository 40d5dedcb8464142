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
        """The answer of a tier, or of the judge. Raises `RouteError` after the last try."""
        response: route_service_pb2.ChatCompletionResponse = await self._retrying(self._client.chat, chat, **_options(self._job, who))
        return _said(response, self._job.models[who], who)


def _options(job: Job, who: Payer) -> ChatOptions:
    options: ChatOptions = {"pair": job.judge if who == "judge" else job.pair, "tier": "weak" if who == "weak" else "strong"}
    if job.length_as == "max_tokens":
        options["max_tokens"] = job.longest(who)
    else:
        options["max_completion_tokens"] = job.longest(who)
    temperature = job.judge_temperature if who == "judge" else job.temperature
    if temperature is not None:
        options["temperature"] = temperature
    return options


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
