"""What Ray Serve runs in each replica. Ray isn't imported here: Serve finds the methods by the RPCs' names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

import grpc

from pointsman.runtime.errors import PointsmanError, wire_form
from pointsman.runtime.settings import StrategySettings
from pointsman.runtime.tracing import TracingSettings, configure_tracing
from pointsman.scorer.v1 import scorer_service_pb2 as pb
from scorers.registry import build_router, router_class
from scorers.scorer import Scorer

REFUSED: Final = "refused: "
"""Precedes our own words in an error that Serve will bury in a traceback."""


class GrpcContext(Protocol):
    """What's used of Serve's context, which it passes by the argument's name, `grpc_context`."""

    def set_code(self, code: grpc.StatusCode) -> None: ...

    def set_details(self, details: str) -> None: ...


class ScorerReplica:
    """What Serve runs in each replica: a scorer, built by the first `reconfigure`, which Serve calls before the replica is ready."""

    def __init__(self, strategy: str, tracing: Mapping[str, Any] | None = None) -> None:
        """`tracing`: `TracingSettings`, for the replica is a process of its own."""
        self._strategy = strategy
        configure_tracing("scorers", TracingSettings.model_validate(tracing or {}))
        self._scorer: Scorer | None = None

    async def reconfigure(self, user_config: dict[str, Any]) -> None:
        """Builds the scorer, or hands it new settings without dropping a request."""
        settings = StrategySettings.model_validate(user_config)
        try:
            if self._scorer is None:
                # The constructor waits for the model; nothing else runs in this replica yet.
                nice = router_class(self._strategy).nice if settings.nice is None else settings.nice
                self._scorer = Scorer(lambda s: build_router(self._strategy, s), settings, nice)
            else:
                await self._scorer.reconfigure(settings)
        except PointsmanError as error:
            raise RuntimeError(f"{REFUSED}{error.message}") from None

    async def Score(self, request: pb.ScoreRequest, grpc_context: GrpcContext) -> pb.ScoreResponse:  # noqa: N802
        """See the contract."""
        try:
            return await self._ready().score(request)
        except PointsmanError as error:
            grpc_context.set_code(wire_form(error).grpc_code)
            grpc_context.set_details(error.message)
            raise RuntimeError(error.message) from None

    async def Describe(self, request: pb.DescribeRequest) -> pb.DescribeResponse:  # noqa: N802
        """See the contract."""
        return self._ready().describe()

    async def check_health(self) -> None:
        """Called by Serve every few seconds; a replica whose model is stuck or broken is replaced."""
        await self._ready().check_health()

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """Called by Serve every second or so, where the number of replicas follows load: see `scorers.load`."""
        return self._scorer.load.stats() if self._scorer else {}

    def _ready(self) -> Scorer:
        assert self._scorer is not None
        return self._scorer
