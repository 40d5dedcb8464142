"""Steady load in a process of its own: `python -m tests.support.faults.load REST GRPC --pair P --deadline S …`.

Fifty callers (or `--callers`), as many each of chat over REST (whole and as a stream) and of gRPC's Route, ChatCompletion and
StreamChatCompletion; each has one request under way and begins the next one `--period` seconds after the last. Every request's outcome is a
line of JSON on standard output. On SIGTERM the callers finish, send one last request each, and the process ends.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any

import aiohttp
import grpc

from pointsman.runtime.decision_headers import reason_name
from pointsman.runtime.error_forms import error_info, status_of
from pointsman.v1 import route_service_pb2, route_service_pb2_grpc, routing_pb2
from tests.support.faults.outcomes import GRACE_S, Outcome, Text, read

CALLERS = 50
_LONGEST = 8
"""Tokens of an answer of a real model's."""
TO_STRONG, TO_WEAK = "router-mf-0", "router-mf-1"
_RPC = grpc.aio.AioRpcError


@dataclass(frozen=True)
class Said:
    """What a request was answered with."""

    result: str
    what: str
    text: str = ""
    complete: bool = False
    """Whether the text is meant to be a whole answer."""


@dataclass
class Callers:
    """Their connections and their numbers."""

    session: aiohttp.ClientSession
    stub: Any
    options: argparse.Namespace

    def spec(self, model: str) -> routing_pb2.RoutingSpec:
        """How to route."""
        return routing_pb2.RoutingSpec(model=model, pair=self.options.pair)

    def body(self, model: str, asked: str, stream: bool) -> bytes:
        """Of a chat."""
        longest = {"max_tokens": _LONGEST} if self.options.any_text else {}
        return json.dumps({"model": model, "messages": [{"role": "user", "content": asked}], "stream": stream, **longest}).encode()

    async def rest(self, model: str, asked: str, *, stream: bool) -> Said:
        """POST /v1/chat/completions."""
        headers = {"x-request-timeout": str(self.options.deadline), "x-pointsman-pair": self.options.pair}
        url = f"{self.options.rest}/v1/chat/completions"
        try:
            async with self.session.post(url, data=self.body(model, asked, stream), headers=headers) as response:
                content = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            return Said("loss", type(error).__name__)
        reason = response.headers.get("x-pointsman-reason", "")
        return (_events if stream and response.status == 200 else _json)(content, response.status, reason)

    async def route(self, model: str, asked: str) -> Said:
        """RouteService.Route."""
        request = route_service_pb2.RouteRequest(routing=self.spec(model), prompt=asked)
        answer = await self.stub.Route(request, timeout=self.options.deadline)
        return Said("answer", reason_name(answer.decision.reason))

    async def chat(self, model: str, asked: str) -> Said:
        """RouteService.ChatCompletion."""
        request = route_service_pb2.ChatCompletionRequest(routing=self.spec(model), body=self.body(model, asked, stream=False))
        answer = await self.stub.ChatCompletion(request, timeout=self.options.deadline)
        return Said("answer", reason_name(answer.receipt.decision.reason), answer.choices[0].message.content, complete=True)

    async def stream_chat(self, model: str, asked: str) -> Said:
        """RouteService.StreamChatCompletion."""
        request = route_service_pb2.StreamChatCompletionRequest(routing=self.spec(model), body=self.body(model, asked, stream=True))
        text, said = "", Said("loss", "no receipt")
        try:
            async for event in self.stub.StreamChatCompletion(request, timeout=self.options.deadline):
                match event.WhichOneof("event"):
                    case "chunk":
                        text += "".join(delta.content for delta in event.chunk.deltas)
                    case "error":
                        said = Said("error", error_info(event.error).reason, text)
                    case "receipt" if said.result == "loss":
                        said = Said("answer", reason_name(event.receipt.decision.reason), text, complete=True)
        except _RPC as error:
            return _failed(error, text)
        return said


def _failed(error: grpc.aio.AioRpcError, text: str = "") -> Said:
    # INTERNAL without details, and anything that isn't gRPC's own word for a passed deadline, is nobody's typed error.
    if not error.trailing_metadata() and error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
        return Said("loss", f"{error.code().name} without details", text)
    return Said("error", error_info(status_of(error)).reason, text)


def _json(content: bytes, status: int, reason: str) -> Said:
    try:
        value = json.loads(content)
        if status == 200:
            return Said("answer", reason, value["choices"][0]["message"]["content"], complete=True)
        return Said("error", value["error"]["code"].upper())
    except (ValueError, KeyError, TypeError):
        return Said("loss", f"{status} that isn't JSON")


def _events(content: bytes, _: int, reason: str) -> Said:
    text, said = "", Said("loss", "a stream without an end")
    for line in content.split(b"\n\n"):
        if line == b"data: [DONE]":
            said = Said("answer", reason, text, complete=True)
        elif line.startswith(b"data: {"):
            value = json.loads(line[6:])
            if "error" in value:
                return Said("error", value["error"]["code"].upper(), text)
            text += "".join(choice["delta"].get("content") or "" for choice in value["choices"])
    return said if said.result == "answer" else Said(said.result, said.what, text)


async def _asked(
    kind: str, call: Callable[..., Awaitable[Said]], model: str, asked: str, options: argparse.Namespace, *, final: bool
) -> Outcome:
    begun = time.monotonic()
    try:
        said = await call(model, asked)
    except _RPC as error:
        said = _failed(error)
    took = time.monotonic() - begun
    text = Text("", sound=True, whole=True) if options.any_text else read(said.text, asked)
    cut_short = said.complete and not text.whole
    result, what = ("loss", "an answer that isn't whole") if cut_short and text.sound else (said.result, said.what)
    late = took > options.deadline + GRACE_S
    return Outcome(kind, model, begun, took, result, what, text.answer, not text.sound, late, final)


async def run(options: argparse.Namespace) -> None:
    """Until SIGTERM, and a last round after it."""
    stop, numbers = asyncio.Event(), itertools.count()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    timeout = aiohttp.ClientTimeout(total=options.deadline + 5)
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session,
        grpc.aio.insecure_channel(options.grpc) as channel,
    ):
        callers = Callers(session, route_service_pb2_grpc.RouteServiceStub(channel), options)
        kinds: list[tuple[str, Callable[..., Awaitable[Said]]]] = [
            ("rest", lambda model, asked: callers.rest(model, asked, stream=False)),
            ("sse", lambda model, asked: callers.rest(model, asked, stream=True)),
            ("Route", callers.route),
            ("ChatCompletion", callers.chat),
            ("StreamChatCompletion", callers.stream_chat),
        ]

        async def once(place: int, final: bool) -> None:
            kind, call = kinds[place % len(kinds)]
            # Of each kind half ask for strong. No two texts are alike, so that no answer and no score can be another's.
            model, asked = (TO_STRONG, TO_WEAK)[place // len(kinds) % 2], f"{options.seed}-{next(numbers)}"
            outcome = await _asked(kind, call, model, asked, options, final=final)
            sys.stdout.write(json.dumps(asdict(outcome)) + "\n")
            sys.stdout.flush()

        async def caller(place: int) -> None:
            await asyncio.sleep(options.period * place / options.callers)
            while not stop.is_set():
                pause = asyncio.create_task(asyncio.sleep(options.period))
                await once(place, final=False)
                await pause

        await asyncio.gather(*(caller(place) for place in range(options.callers)))
        await asyncio.gather(*(once(place, final=True) for place in range(options.callers)))


def main() -> None:
    """Reads the options."""
    parser = argparse.ArgumentParser()
    parser.add_argument("rest")
    parser.add_argument("grpc")
    parser.add_argument("--pair", default="default")
    parser.add_argument("--deadline", type=float, default=5.0)
    parser.add_argument("--period", type=float, default=1.0)
    parser.add_argument("--callers", type=int, default=CALLERS)
    parser.add_argument("--any-text", action="store_true", help="the backends are real: answers are short, and don't show whose they are")
    parser.add_argument("--seed", default="0")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
