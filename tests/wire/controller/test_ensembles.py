"""Several strategies in one request: the mean of their calibrated ranks, over the wire."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest

from pointsman.calibration.ensemble import ensemble_of
from pointsman.calibration.files import write_record
from pointsman.v1 import route_service_pb2, routing_pb2
from tests.support.backend import ScriptedBackend
from tests.support.controllers import RunningController, running_controller
from tests.support.records import record
from tests.support.scorers import ScriptedScorers
from tests.wire.cli.test_commands import pointsman_command
from tests.wire.controller.asking import Request, Spec, refusal, route

BOTH = Spec(model="router-mf+bert-0.6")
# mf's win rates lie within 0.02 of each other, bert's are spread evenly: a mean of win rates would be bert's alone.
RECORDS = {"mf": (0.39, 0.41), "bert": (0.0, 1.0)}


@pytest.fixture
def backends(strong: ScriptedBackend, weak: ScriptedBackend) -> Mapping[str, Any]:
    """Both tiers."""
    return {"strong": strong.settings, "weak": weak.settings}


@pytest.fixture
async def ensemble(backends: Mapping[str, Any], scorers: ScriptedScorers, tmp_path: Path) -> AsyncIterator[RunningController]:
    """mf says 0.4, the middle of its sample, and bert 0.8."""
    for strategy, quantiles in RECORDS.items():
        write_record(tmp_path, record(strategy=strategy, quantiles=quantiles))
    scorers.rates["bert"] = lambda _: 0.8
    strategies: dict[str, Any] = {name: {} for name in ("mf", "bert", "random")}
    async with running_controller(backends, scorers.address, strategies=strategies, records_dir=tmp_path) as controller:
        yield controller


@pytest.mark.parametrize(("threshold", "tier"), [("0.65", "STRONG"), ("0.66", "WEAK")])
async def test_the_mean_of_ranks_is_compared_with_the_threshold(ensemble: RunningController, threshold: str, tier: str) -> None:
    """0.5 and 0.8; the receipt has each opinion as its scorer gave it, and the records that the ranks are by."""
    answer = await route(ensemble, Spec(model=f"router-mf+bert-{threshold}"))
    assert routing_pb2.Tier.Name(answer.decision.tier) == f"TIER_{tier}"
    assert answer.decision.strong_win_rate == pytest.approx(0.65)
    assert (answer.decision.strategy, answer.decision.reason) == ("mf+bert", routing_pb2.REASON_COMPARISON)
    assert [(each.strategy, each.strong_win_rate) for each in answer.receipt.opinions] == [("mf", 0.4), ("bert", 0.8)]
    assert answer.receipt.calibration == "+".join(record(strategy=each).name for each in ("mf", "bert"))


async def test_names_stand_once_in_the_callers_order_and_metrics_know_no_order(ensemble: RunningController) -> None:
    """One name twice is one strategy, whose win rate is compared as ever."""
    found = [(await route(ensemble, Spec(strategies=names, threshold=0.6))).decision for names in (["bert", "mf", "bert"], ["mf", "bert"])]
    assert [each.strategy for each in found] == ["bert+mf", "mf+bert"]
    alone = (await route(ensemble, Spec(model="router-mf+mf-0.6"))).decision
    assert (alone.strategy, alone.strong_win_rate) == ("mf", 0.4)
    labels = {"call": "route", "pair": "default", "strategy": "bert+mf", "tier": "strong", "reason": "comparison", "error": ""}
    assert ensemble.registry.get_sample_value("pointsman_requests_total", labels) == 2


async def test_a_strategy_that_fails_leaves_the_mean_to_the_others(ensemble: RunningController, scorers: ScriptedScorers) -> None:
    """Its opinion says why; where none answers the first one's `on_failure` counts."""
    scorers.rates["mf"] = lambda _: 7.0
    answer = await route(ensemble, BOTH)
    assert (answer.decision.strong_win_rate, answer.decision.reason) == (0.8, routing_pb2.REASON_COMPARISON)
    assert answer.receipt.opinions[0].failure == routing_pb2.REASON_SCORER_ERROR
    scorers.fail_with = grpc.StatusCode.INTERNAL
    decision = (await route(ensemble, BOTH, "another")).decision
    assert (decision.tier, decision.reason) == (routing_pb2.TIER_STRONG, routing_pb2.REASON_SCORER_ERROR)
    assert not decision.HasField("strong_win_rate")


async def test_where_all_fail_the_firsts_on_failure_counts(backends: Mapping[str, Any], scorers: ScriptedScorers) -> None:
    """As if it had been asked alone."""
    scorers.fail_with = grpc.StatusCode.INTERNAL
    strategies = {"mf": {"on_failure": "weak"}, "random": {"on_failure": "error"}}
    async with running_controller(backends, scorers.address, strategies=strategies) as controller:
        assert (await route(controller, Spec(model="router-mf+random-0.1"))).decision.tier == routing_pb2.TIER_WEAK
        code, reason, _ = await refusal(controller, Request(prompt="x", routing=Spec(model="router-random+mf-0.1")))
    assert (code, reason) == (grpc.StatusCode.UNAVAILABLE, "SCORING_FAILED")


async def test_a_strategy_without_a_record_is_named(ensemble: RunningController, scorers: ScriptedScorers) -> None:
    """One of a checkpoint that isn't calibrated too: its ranks aren't known."""
    request = Request(prompt="x", routing=Spec(model="router-mf+random-0.5"))
    code, reason, facts = await refusal(ensemble, request)
    assert (code, reason, facts["param"]) == (grpc.StatusCode.FAILED_PRECONDITION, "NOT_CALIBRATED", "strategies")
    with pytest.raises(grpc.aio.AioRpcError, match="of random has no calibration record"):
        await ensemble.stub.Route(request)
    scorers.checkpoint = "scripted@sha256:1"
    with pytest.raises(grpc.aio.AioRpcError, match="scripted@sha256:1 of mf has no calibration record"):
        await ensemble.stub.Route(Request(prompt="new", routing=BOTH))


async def test_a_quality_loss_is_refused_before_anything_is_scored(ensemble: RunningController, scorers: ScriptedScorers) -> None:
    """Nothing is certified for several strategies; and each of the names must be one."""
    specs = {
        "NOT_CERTIFIED": Spec(strategies=["mf", "bert"], max_quality_loss=0.03),
        "UNKNOWN_STRATEGY": Spec(model="router-mf+nope-0.3"),
    }
    for expected, spec in specs.items():
        assert (await refusal(ensemble, Request(prompt="x", routing=spec)))[1] == expected
    assert not scorers.batches


@pytest.mark.parametrize(("percent", "tier"), [(45, "STRONG"), (35, "WEAK")])
async def test_a_strong_share_is_a_threshold_by_the_ensembles_own_record(
    ensemble: RunningController, tmp_path: Path, percent: int, tier: str
) -> None:
    """The mean of ranks is 0.65, which 40 % of its sample reach; named in any order, live share and receipt are the ensemble's."""
    members = [record(strategy=name, quantiles=quantiles) for name, quantiles in RECORDS.items()]
    strategy, checkpoint = ensemble_of(members)
    written = record(strategy=strategy, checkpoint=checkpoint, quantiles=(0.125, 1.0))
    write_record(tmp_path, written)
    async with asyncio.timeout(10):
        while True:
            try:
                answer = await route(ensemble, Spec(model=f"router-mf+bert-{percent}pct"))
                break
            except grpc.aio.AioRpcError:
                await asyncio.sleep(0.05)
    assert routing_pb2.Tier.Name(answer.decision.tier) == f"TIER_{tier}"
    assert answer.decision.threshold == pytest.approx(written.threshold(percent / 100))
    assert answer.receipt.calibration == written.name
    labels = {"strategy": "bert+mf", "checkpoint": checkpoint, "target": f"{percent / 100:g}"}
    assert ensemble.registry.get_sample_value("pointsman_live_strong_share", labels) == (tier == "STRONG")


async def test_ensembles_whose_record_counts_now_are_listed(ensemble: RunningController, scorers: ScriptedScorers, tmp_path: Path) -> None:
    """With their live shares, and not where a strategy has another checkpoint, isn't there or has no record of its own."""
    members = [record(strategy=name, quantiles=quantiles) for name, quantiles in RECORDS.items()]
    strategy, checkpoint = ensemble_of(members)
    written = record(strategy=strategy, checkpoint=checkpoint, quantiles=(0.125, 1.0))
    others = ("bert+sw_ranking", "mf+random")
    for each in (written, *(record(strategy=name, checkpoint="x") for name in others), record(strategy=strategy, checkpoint="old")):
        write_record(tmp_path, each)

    async def listed() -> list[Any]:
        return list((await ensemble.stub.ListStrategies(route_service_pb2.ListStrategiesRequest())).ensembles)

    async with asyncio.timeout(10):
        while not (found := await listed()):
            await asyncio.sleep(0.05)
    assert [(each.name, [calibration.name for calibration in each.calibrations]) for each in found] == [("bert+mf", [written.name])]
    assert not found[0].HasField("live")
    await route(ensemble, Spec(model="router-mf+bert-45pct"))
    (listed_one,) = await listed()
    assert [(share.target, share.decisions) for share in listed_one.live.shares] == [(0.45, 1)]
    shown = await pointsman_command("strategies", "--address", ensemble.address)
    assert re.search(r"^bert\+mf +ready +1,000 prompts", shown.out, re.MULTILINE)
    assert re.search(r"^bert\+mf +45 % +100.0 % +1 *$", shown.out, re.MULTILINE)
    scorers.checkpoint = "scripted@sha256:1"
    async with asyncio.timeout(10):
        while await listed():
            await asyncio.sleep(0.05)


async def test_a_strong_share_without_a_record_by_those_that_count_now_is_refused(ensemble: RunningController, tmp_path: Path) -> None:
    """One that was made by other records of the same strategies is of other ranks."""
    members = [record(strategy=name, quantiles=quantiles, data_sha256="1" * 64) for name, quantiles in RECORDS.items()]
    strategy, checkpoint = ensemble_of(members)
    write_record(tmp_path, record(strategy=strategy, checkpoint=checkpoint))
    with pytest.raises(grpc.aio.AioRpcError, match=r"bert\+mf has no calibration record by those .* --strategies bert\+mf makes one"):
        await ensemble.stub.Route(Request(prompt="x", routing=Spec(model="router-mf+bert-30pct")))


async def test_a_strong_share_needs_every_strategys_answer(ensemble: RunningController, scorers: ScriptedScorers) -> None:
    """It was calibrated for all of them together, so the failed one's `on_failure` counts."""
    scorers.rates["bert"] = lambda _: 7.0
    decision = (await route(ensemble, Spec(model="router-mf+bert-30pct"))).decision
    assert (decision.tier, decision.reason) == (routing_pb2.TIER_STRONG, routing_pb2.REASON_SCORER_ERROR)


async def test_an_ensemble_that_nobody_certified_goes_strong_where_the_settings_say_so(
    backends: Mapping[str, Any], scorers: ScriptedScorers
) -> None:
    """With the reason that one strategy would have."""
    async with running_controller(backends, scorers.address, own={"on_uncertified": "strong"}) as controller:
        decision = (await route(controller, Spec(strategies=["mf", "random"], max_quality_loss=0.03))).decision
    assert (decision.tier, decision.reason) == (routing_pb2.TIER_STRONG, routing_pb2.REASON_NOT_CERTIFIED)


async def test_more_than_five_strategies_are_refused(backends: Mapping[str, Any], scorers: ScriptedScorers) -> None:
    """By their field."""
    strategies: dict[str, Any] = {f"s{n}": {} for n in range(6)}
    async with running_controller(backends, scorers.address, ready=False, strategies=strategies) as controller:
        _, reason, facts = await refusal(controller, Request(prompt="x", routing=Spec(strategies=list(strategies), threshold=0.5)))
    assert (reason, facts["param"]) == ("INVALID_ROUTING_SPEC", "routing.strategies")
