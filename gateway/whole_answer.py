"""Answers that aren't streamed: one message from the controller, one answer to the caller."""

from __future__ import annotations

import re
from typing import Final

from gateway.controller_call import WholeCall
from gateway.exchange import Exchange
from gateway.headers import RECEIPT, to_caller
from gateway.relayed_answer import receipt_json, without
from pointsman.runtime.decision_headers import decision_headers
from pointsman.runtime.errors import InternalError

_STREAM: Final = re.compile(rb'"stream"\s*:\s*(?!\s|false)')


def may_stream(body: bytes) -> bool:
    """Whether a request's body asks for a stream, as far as a look at its bytes tells.

    An inner object that says so is taken for it, which costs a little; who spells `stream` by escapes gets the stream in one piece.
    """
    return _STREAM.search(body) is not None


async def send_whole(exchange: Exchange, call: WholeCall, *, with_receipt: bool) -> None:
    """Raises `ControllerFailed` and `CallCancelled`: nothing has been sent before the answer is there."""
    answer = await call.answer()
    started = answer.started
    if not 200 <= started.status <= 599:
        raise InternalError
    exchange.decided(started.decision)
    headers = [*without(to_caller(started.headers), "content-length"), *decision_headers(started.decision)]
    if with_receipt:
        headers.append((RECEIPT, receipt_json(answer.receipt)))
    usage = answer.receipt.usage
    exchange.seen.tokens = usage.prompt_tokens + usage.completion_tokens
    await exchange.answer(started.status, headers, answer.body)
