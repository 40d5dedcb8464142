"""ScorerService over real gRPC, without Ray."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import grpc
import pytest

from pointsman.runtime.settings import StrategySettings
from pointsman.scorer.v1 import scorer_service_pb2 as pb
from pointsman.scorer.v1 import scorer_service_pb2_grpc as pb_grpc
from scorers.bare import bare_scorers
from scorers.registry import build_router
from scorers.scorer import Scorer


@asynccontextmanager
async def served(*strategies: str, **settings: object) -> AsyncIterator[pb_grpc.ScorerServiceAsyncStub]:
    """A stub to those strategies."""
    scorers = {name: Scorer(partial(build_router, name), StrategySettings.model_validate(settings)) for name in strategies}
    async with bare_scorers(scorers) as address, grpc.aio.insecure_channel(address) as channel:
        yield pb_grpc.ScorerServiceStub(channel)
    for scorer in scorers.values():
        await scorer.close()


def of(application: str) -> tuple[tuple[str, str], ...]:
    """The metadata that selects a strategy."""
    return (("application", application),)


async def test_the_application_metadata_selects_the_strategy() -> None:
    """Two strategies on one port, as Ray Serve's proxy has them."""
    async with served("random", "mf") as stub:
        names = [(await stub.Describe(pb.DescribeRequest(), metadata=of(name))).strategy for name in ("random", "mf")]
        answer = await stub.Score(pb.ScoreRequest(prompts=[pb.Prompt(text="Why?"), pb.Prompt(text="How?")]), metadata=of("mf"))
    assert names == ["random", "mf"]
    assert [0.3 < r.strong_win_rate < 0.8 for r in answer.results] == [True, True]
    assert answer.checkpoint.startswith("mf-all-minilm-l6-v2-layer-3@sha256:")


async def test_sessions_travel_with_their_prompts() -> None:
    """One batch, two sessions, each its own draw."""
    async with served("random", options={"seed": 7}) as stub:
        prompts = [pb.Prompt(text="x", session=session) for session in ("alice", "bob", "alice")]
        rates = [r.strong_win_rate for r in (await stub.Score(pb.ScoreRequest(prompts=prompts), metadata=of("random"))).results]
    assert rates[0] == rates[2] != rates[1]


async def test_an_application_that_is_not_there_is_not_found() -> None:
    """The answer says which there are."""
    async with served("random") as stub:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await stub.Describe(pb.DescribeRequest(), metadata=of("nope"))
    assert failed.value.code() is grpc.StatusCode.NOT_FOUND
    assert failed.value.details() == "No application is named 'nope'; there are: random."


async def test_the_application_may_be_left_out_where_there_is_only_one() -> None:
    """As with Ray Serve."""
    async with served("random") as stub:
        assert (await stub.Describe(pb.DescribeRequest())).strategy == "random"


async def test_an_error_has_its_code_and_its_own_words() -> None:
    """More prompts than the queue takes."""
    async with served("random", max_queued=2) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await stub.Score(pb.ScoreRequest(prompts=[pb.Prompt(text="x")] * 3), metadata=of("random"))
        assert failed.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert failed.value.details() == "3 prompts in one call; at most 2 are taken."
        assert len((await stub.Score(pb.ScoreRequest(prompts=[pb.Prompt(text="x")] * 2), metadata=of("random"))).results) == 2
