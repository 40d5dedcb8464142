"""Scorers that do as they are told, over real gRPC: fixed rates, delays, errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc

from pointsman.scorer.v1 import scorer_service_pb2, scorer_service_pb2_grpc
from tests.support.canary import came

Rate = Callable[[scorer_service_pb2.Prompt], float]


@dataclass
class ScriptedScorers(scorer_service_pb2_grpc.ScorerServiceServicer):
    """One server for several applications, as Ray Serve's proxy is."""

    rates: dict[str, Rate]
    delay_s: float = 0.0
    delays_s: dict[str, float] = field(default_factory=dict)
    """Of one application, in the place of `delay_s`."""
    fail_with: grpc.StatusCode | None = None
    batches: list[list[str]] = field(default_factory=list)
    waiting: list[tuple[str, int]] = field(default_factory=list)
    """Of each batch: who called, and how many more prompts waited there."""
    cancelled: int = 0
    """Calls that their caller gave up before their own deadline."""
    address: str = ""
    checkpoint: str = "scripted@sha256:0"
    version: str = "test"
    embedder: str = ""
    remembered: frozenset[str] = frozenset()
    """Texts whose embedding is said to have been remembered."""
    replicas: tuple[str, ...] = ("",)
    """Whose names stand in the answers, one after the other."""
    described: int = 0
    answers: int = 0
    at_once: int = 0
    most_at_once: int = 0

    async def Score(self, request: scorer_service_pb2.ScoreRequest, context: Any) -> scorer_service_pb2.ScoreResponse:
        application = await self._application(context)
        rate = self.rates[application]
        self.batches.append([prompt.text for prompt in request.prompts])
        self.waiting.append((request.caller, request.waiting))
        came(*self.batches[-1])
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self.delays_s.get(application, self.delay_s))
        except asyncio.CancelledError:
            self.cancelled += context.time_remaining() > 0.1
            raise
        finally:
            self.at_once -= 1
        if self.fail_with:
            await context.abort(self.fail_with, "as scripted")
        results = [
            scorer_service_pb2.ScoreResult(strong_win_rate=rate(prompt), embedding_cached=prompt.text in self.remembered)
            for prompt in request.prompts
        ]
        return scorer_service_pb2.ScoreResponse(results=results, checkpoint=self.checkpoint, version=self.version, replica=self._replica())

    async def Describe(self, request: scorer_service_pb2.DescribeRequest, context: Any) -> scorer_service_pb2.DescribeResponse:
        name = await self._application(context)
        self.described += 1
        own = {"checkpoint": self.checkpoint, "embedder": self.embedder, "version": self.version}
        return scorer_service_pb2.DescribeResponse(strategy=name, **own, replica=self._replica())

    def _replica(self) -> str:
        self.answers += 1
        return self.replicas[self.answers % len(self.replicas)]

    async def _application(self, context: Any) -> str:
        name = str(dict(context.invocation_metadata()).get("application"))
        if name not in self.rates:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no application {name}")
        return name


@asynccontextmanager
async def scripted_scorers(rates: dict[str, Rate], port: int = 0) -> AsyncIterator[ScriptedScorers]:
    """A server on a free port."""
    scorers = ScriptedScorers(rates)
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    scorer_service_pb2_grpc.add_ScorerServiceServicer_to_server(scorers, server)
    scorers.address = f"127.0.0.1:{server.add_insecure_port(f'127.0.0.1:{port}')}"
    await server.start()
    try:
        yield scorers
    finally:
        await server.stop(None)
