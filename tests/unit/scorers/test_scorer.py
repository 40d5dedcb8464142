"""The scorer, without a transport."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar, Self

import pytest
import structlog.testing

import pointsman
from pointsman.runtime.errors import DeadlineExceeded, InvalidRequest, Overloaded
from pointsman.runtime.settings import StrategySettings
from pointsman.scorer.v1 import scorer_service_pb2 as pb
from scorers.errors import InvalidOptions, ModelFailed
from scorers.identity import version_of
from scorers.router import NoWinRate, Router, ScoredPrompt, WinRate
from scorers.scorer import Scorer

SECRET = "the prompt nobody may read"


class ScriptedRouter(Router):
    """Gives the number a prompt says; waits at its gate; fails where it's told. Its `checkpoint` is an option."""

    strategy: ClassVar[str] = "scripted"
    gate: ClassVar[threading.Event]

    def __init__(self, checkpoint: str) -> None:
        self._checkpoint = checkpoint
        self.threads: set[str] = set()
        self.priority = 0

    @classmethod
    def build(cls, settings: StrategySettings) -> Self:
        if "refuse" in settings.options:
            raise InvalidOptions("as told")
        return cls(str(settings.options.get("checkpoint", "one")))

    @property
    def checkpoint(self) -> str:
        return self._checkpoint

    def calculate_strong_win_rates(self, prompts: Sequence[ScoredPrompt]) -> list[WinRate | NoWinRate]:
        self.threads.add(threading.current_thread().name)
        self.priority = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        if any(p.text == "wait" for p in prompts):
            assert self.gate.wait(30)
        if any(p.text == SECRET for p in prompts):
            raise ValueError(f"can't score {SECRET!r}")
        if any(p.text == "lose" for p in prompts):
            return []
        return [NoWinRate("no number") if p.text == "none" else WinRate(_number(p.text), truncated=p.text.endswith("0")) for p in prompts]


def _number(text: str) -> float:
    return float(text) if text.replace(".", "").isdigit() else 0.5


@asynccontextmanager
async def scripted(**settings: object) -> AsyncIterator[Scorer]:
    """A scorer over a closed gate; on leaving, the gate opens."""
    ScriptedRouter.gate = threading.Event()
    scorer = Scorer(ScriptedRouter.build, StrategySettings.model_validate(settings))
    try:
        yield scorer
    finally:
        ScriptedRouter.gate.set()
        await scorer.close()


def request(*texts: str, budget_ms: int = 0) -> pb.ScoreRequest:
    """A batch."""
    return pb.ScoreRequest(prompts=[pb.Prompt(text=text) for text in texts], budget_ms=budget_ms)


def scoring(scorer: Scorer, *texts: str, budget_ms: int = 0) -> asyncio.Task[pb.ScoreResponse]:
    """A batch under way."""
    return asyncio.create_task(scorer.score(request(*texts, budget_ms=budget_ms)))


async def test_a_batch_is_answered_in_order_with_the_checkpoint_that_scored() -> None:
    """Numbers, the truncated flag, and one prompt without a number among others that have one."""
    async with scripted(max_batch=2) as scorer:
        answer = await scorer.score(request("0.25", "none", "0.5", "0.10"))
    assert [r.WhichOneof("result") for r in answer.results] == ["strong_win_rate", "error", "strong_win_rate", "strong_win_rate"]
    assert [r.strong_win_rate for r in answer.results] == [0.25, 0, 0.5, 0.1]
    assert [r.truncated for r in answer.results] == [False, False, False, True]
    assert answer.results[1].error == "no number"
    assert (answer.checkpoint, answer.version) == ("one", scorer.describe().version)


async def test_no_prompts_are_no_results() -> None:
    """An empty batch is answered, not refused."""
    async with scripted() as scorer:
        assert len((await scorer.score(request())).results) == 0


async def test_the_model_runs_in_its_own_thread_and_the_loop_goes_on() -> None:
    """While a batch waits at the gate, the scorer describes itself."""
    async with scripted() as scorer:
        waiting = scoring(scorer, "wait")
        await asyncio.sleep(0.01)
        assert scorer.describe().strategy == "scripted"
        assert not waiting.done()
        ScriptedRouter.gate.set()
        assert len((await waiting).results) == 1


async def test_the_models_thread_gives_way_as_far_as_it_is_told_and_nobody_else_does() -> None:
    """By as many steps of nice; the event loop stays what it was."""
    built: list[ScriptedRouter] = []

    def build(settings: StrategySettings) -> ScriptedRouter:
        built.append(ScriptedRouter.build(settings))
        return built[-1]

    own = os.getpriority(os.PRIO_PROCESS, 0)
    for nice in (0, 3):
        await Scorer(build, StrategySettings(), nice).close()
    assert [router.priority for router in built] == [own, own + 3]
    assert os.getpriority(os.PRIO_PROCESS, 0) == own


async def test_an_answer_later_than_the_budget_is_a_deadline_error_and_its_prompts_are_not_scored() -> None:
    """Nobody waits for those any more; the next caller is answered."""
    async with scripted() as scorer:
        running = scoring(scorer, "wait")
        await asyncio.sleep(0.01)
        with pytest.raises(DeadlineExceeded, match="20 ms"):
            await scorer.score(request(SECRET, budget_ms=20))
        ScriptedRouter.gate.set()
        await running
        assert (await scorer.score(request("0.5", budget_ms=5000))).results[0].strong_win_rate == 0.5


async def test_a_full_queue_is_overload_and_a_batch_that_never_fits_is_invalid() -> None:
    """The first passes with time, the second doesn't."""
    async with scripted(max_batch=1, max_queued=2) as scorer:
        waiting = [scoring(scorer, "wait") for _ in range(3)]
        await asyncio.sleep(0.01)
        with pytest.raises(Overloaded):
            await scorer.score(request("0.5"))
        with pytest.raises(InvalidRequest, match="3 prompts in one call; at most 2"):
            await scorer.score(request("1", "2", "3"))
        ScriptedRouter.gate.set()
        assert len(await asyncio.gather(*waiting)) == 3


@pytest.mark.parametrize("text", [SECRET, "lose"])
async def test_a_model_that_fails_fails_its_batch_without_quoting_it(text: str) -> None:
    """Neither the error nor the log holds a prompt, and the next batch is scored."""
    async with scripted() as scorer:
        with structlog.testing.capture_logs() as logs, pytest.raises(ModelFailed) as failed:
            await scorer.score(request(text))
        assert (await scorer.score(request("0.5"))).results[0].strong_win_rate == 0.5
    assert SECRET not in str(failed.value)
    assert failed.value.__cause__ is None
    assert [log["event"] for log in logs] == ["model failed"]
    assert SECRET not in str(logs)


async def test_health_is_a_prediction_through_the_models_own_thread() -> None:
    """A model that's stuck isn't healthy: the check waits behind it."""
    async with scripted() as scorer:
        await scorer.check_health()
        stuck = scoring(scorer, "wait")
        await asyncio.sleep(0.01)
        check = asyncio.create_task(scorer.check_health())
        await asyncio.sleep(0.01)
        assert not check.done()
        ScriptedRouter.gate.set()
        await asyncio.gather(check, stuck)


async def test_new_settings_take_over_without_dropping_what_was_queued() -> None:
    """The old checkpoint answers what came before, the new one what comes after."""
    async with scripted(max_batch=1) as scorer:
        before = [scoring(scorer, "wait"), scoring(scorer, "0.25")]
        await asyncio.sleep(0.01)
        change = asyncio.create_task(scorer.reconfigure(StrategySettings(options={"checkpoint": "two"})))
        while scorer.describe().checkpoint != "two":
            await asyncio.sleep(0.01)
        after = scoring(scorer, "0.75")
        ScriptedRouter.gate.set()
        await change
        assert [(await task).checkpoint for task in [*before, after]] == ["one", "one", "two"]


async def test_settings_that_cannot_be_built_leave_the_old_router_serving() -> None:
    """A bad checkpoint doesn't take a good one down."""
    async with scripted() as scorer:
        with pytest.raises(InvalidOptions):
            await scorer.reconfigure(StrategySettings(options={"refuse": True}))
        assert (await scorer.score(request("0.5"))).checkpoint == "one"


async def test_a_changed_limit_keeps_the_router() -> None:
    """Only what the router is built from builds it anew."""
    async with scripted() as scorer:
        await scorer.reconfigure(StrategySettings(max_queued=1))
        with pytest.raises(InvalidRequest):
            await scorer.score(request("1", "2"))


async def test_describe_names_strategy_checkpoint_and_version() -> None:
    """What the controller and the readiness probe ask."""
    async with scripted() as scorer:
        version = version_of("scripted", StrategySettings())
        described = scorer.describe()
        assert described.replica
        assert described == pb.DescribeResponse(strategy="scripted", checkpoint="one", version=version, replica=described.replica)
        assert version.startswith(f"{pointsman.__version__}+")


def test_a_router_that_cannot_be_built_is_no_scorer() -> None:
    """The reason reaches whoever starts it."""
    with pytest.raises(InvalidOptions, match="as told"):
        Scorer(ScriptedRouter.build, StrategySettings(options={"refuse": True}))
