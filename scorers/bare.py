"""ScorerService without Ray: the same scorers behind a plain gRPC server, for tests and for one-process use."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import grpc

from pointsman.runtime.errors import NotFound, PointsmanError, declared, wire_form
from pointsman.runtime.grpc_server import bind, build_server
from pointsman.runtime.no_such import no_such_sentence
from pointsman.runtime.unreadable import ReadableOnly
from pointsman.scorer.v1 import scorer_service_pb2 as pb
from pointsman.scorer.v1 import scorer_service_pb2_grpc as pb_grpc
from scorers.scorer import Scorer

Context = grpc.aio.ServicerContext[Any, Any]


@asynccontextmanager
async def bare_scorers(scorers: Mapping[str, Scorer], *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serves the scorers by strategy name while the context lives, and gives the address, `host:port`.

    The mapping is looked at on each call, so a test may add a scorer or take one away. The scorers stay the caller's to close.
    """
    server = build_server(max_concurrent=1024, max_body_bytes=64 << 20)
    pb_grpc.add_ScorerServiceServicer_to_server(_Servicer(scorers), cast(grpc.aio.Server, ReadableOnly(server)))
    bound = bind(server, host, port)
    await server.start()
    try:
        yield f"{host}:{bound}"
    finally:
        await server.stop(grace=None)


class _Servicer(pb_grpc.ScorerServiceServicer):
    def __init__(self, scorers: Mapping[str, Scorer]) -> None:
        self._scorers = scorers

    async def Score(self, request: pb.ScoreRequest, context: Context) -> pb.ScoreResponse:  # noqa: N802
        try:
            return await self._selected(context).score(request)
        except PointsmanError as error:
            await _abort(context, error)
            raise

    async def Describe(self, request: pb.DescribeRequest, context: Context) -> pb.DescribeResponse:  # noqa: N802
        try:
            return self._selected(context).describe()
        except PointsmanError as error:
            await _abort(context, error)
            raise

    def _selected(self, context: Context) -> Scorer:
        """The scorer that the metadata key `application` names; as with Ray Serve, it may be left out where there's only one."""
        named = dict(context.invocation_metadata() or ()).get("application")
        if named is None and len(self._scorers) == 1:
            return next(iter(self._scorers.values()))
        if named not in self._scorers:
            raise NotFound(no_such_sentence("application", str(named), self._scorers))
        return self._scorers[str(named)]


async def _abort(context: Context, error: PointsmanError) -> None:
    form = wire_form(declared(error))
    await context.abort(form.grpc_code, error.message)
