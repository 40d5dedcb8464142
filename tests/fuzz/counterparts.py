"""A process with what the services under test speak to: a backend that answers everything, scripted scorers, and one real scorer.

Prints their addresses as one line of JSON, and serves until its standard input is closed.
"""

from __future__ import annotations

import asyncio
import json
import sys
import zlib

from pointsman.runtime.settings import StrategySettings
from pointsman.scorer.v1 import scorer_service_pb2
from scorers.bare import bare_scorers
from scorers.registry import build_router
from scorers.scorer import Scorer
from tests.support.backend import Received, answering, scripted_backend, streaming
from tests.support.scorers import scripted_scorers

_USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
_CHOICE = {"index": 0, "message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}
_ANSWER = json.dumps({"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [_CHOICE], "usage": _USAGE}).encode()
_EVENTS = [b'data: {"choices": [{"index": 0, "delta": {"content": "yes"}}]}\n\n', b"data: [DONE]\n\n"]


async def always_answering(received: Received, writer: asyncio.StreamWriter) -> None:
    """A whole answer or a stream, as asked, whatever else the body holds; nobody streams embeddings."""
    streams = json.loads(received.body).get("stream") is True and not received.path.endswith("/embeddings")
    script = streaming(_EVENTS) if streams else answering(200, _ANSWER)
    await script(received, writer)


def _rate(prompt: scorer_service_pb2.Prompt) -> float:
    return zlib.crc32(prompt.text.encode()) / (1 << 32)


async def serve() -> None:
    """Serves until standard input is closed."""
    scorer = Scorer(lambda settings: build_router("random", settings), StrategySettings())
    async with (
        scripted_backend("any", always_answering) as backend,
        scripted_scorers({"mf": _rate, "random": _rate}) as scripted,
        bare_scorers({"random": scorer}) as real,
    ):
        sys.stdout.write(json.dumps({"backend": backend.url, "scorers": scripted.address, "scorer": real}) + "\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)
        await scorer.close()


if __name__ == "__main__":
    asyncio.run(serve())
