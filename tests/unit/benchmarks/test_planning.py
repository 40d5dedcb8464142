"""From measurements to replicas and money."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.growth import __main__ as command
from benchmarks.growth.breaking import limits
from benchmarks.growth.measured import Cpu, Fit, Measured, Service, fitted
from benchmarks.growth.planner import Assumptions, fewest, plan
from benchmarks.growth.plots import Plot, write
from scorers.errors import InvalidData
from scorers.registry import ROUTERS

_QUICK = Assumptions(prompts=3000, seconds=0)
_RAW = {"redis_ms_per_increment": 0.01, "receipt_bytes": 700, "controller_series": 400}
_MEASURED = Measured(
    fits={"mf": {16: Fit(Service(0.004, 0.002), 0), 64: Fit(Service(0.004, 0.010), 0)}},
    cpu=Cpu(gateway=0.0002, controller=0.0006, serve=0.0006, haproxy=0.0001),
    hop=0.001,
    memory_mib={"mf": 512, "gateway": 64, "controller": 64, "ray": 1024},
    raw=_RAW,
)


def test_a_line_is_fitted_through_batches() -> None:
    """And where it would begin below 0, through 0."""
    exact = fitted([(n, 0.004 + 0.003 * n) for n in (1, 2, 4, 8)])
    assert (exact.service.per_batch, exact.service.per_prompt) == pytest.approx((0.004, 0.003))
    assert exact.error == pytest.approx(0, abs=1e-9)
    bent = fitted([(1, 0.001), (2, 0.003), (4, 0.007)])
    assert bent.service.per_batch == 0
    assert 0.001 < bent.service.per_prompt < 0.00175


def test_a_length_between_two_measured_ones_costs_what_is_between() -> None:
    assert _MEASURED.service("mf", 40)(1) == pytest.approx(0.010)
    assert _MEASURED.service("mf", 5000) == _MEASURED.service("mf", 64)
    with pytest.raises(InvalidData, match=r"bert wasn't measured; there are: mf\."):
        _MEASURED.service("bert", 40)


def test_what_ships_has_every_strategy() -> None:
    assert Measured.read().fits.keys() == ROUTERS.keys()


def test_a_file_that_lacks_something_says_so(tmp_path: Path) -> None:
    file = tmp_path / "measured.json"
    file.write_text('{"service": {}}')
    with pytest.raises(InvalidData, match=r"measured\.json: it can't be read as measurements: KeyError: 'cpu_ms_per_decision'"):
        Measured.read(file)


def test_the_fewest_that_are_enough_are_found_without_trying_all() -> None:
    tried: list[int] = []

    def enough(number: int) -> bool:
        tried.append(number)
        return number >= 700

    assert fewest(enough, 3, 5000) == 700
    assert len(tried) < 25
    assert fewest(enough, 3, 100) is None
    assert fewest(enough, 900, 5000) == 900


def test_a_plan_keeps_its_target_and_twice_the_rate_needs_more() -> None:
    found = plan(_MEASURED, "mf", 400, 64, _QUICK)
    assert found.outcome.p99 <= 0.164 + 0.1
    assert found.outcome.lost < 0.001
    assert 0.5 < found.load < 1
    assert plan(_MEASURED, "mf", 800, 64, _QUICK).replicas > found.replicas


def test_a_slice_needs_about_what_the_whole_does() -> None:
    lasting = replace(_QUICK, seconds=3)
    whole = plan(_MEASURED, "mf", 3000, 16, replace(lasting, slice_replicas=1000))
    sliced = plan(_MEASURED, "mf", 3000, 16, replace(lasting, slice_replicas=2))
    assert (whole.sliced, sliced.sliced) == (1, 3)
    assert sliced.replicas % 3 == 0
    assert sliced.replicas == pytest.approx(whole.replicas, abs=3)


def test_a_million_decisions_cost_what_the_processes_do_meanwhile() -> None:
    """At one a second: a replica, a controller and a gateway for 11.6 days."""
    found = plan(_MEASURED, "mf", 1, 16, replace(_QUICK, vcpu_hour=1, gib_hour=0))
    assert (found.replicas, found.controllers, found.gateways, found.nodes) == (1, 1, 1, 1)
    assert found.per_million == pytest.approx(3 * 1e6 / 3600, rel=0.01)
    assert found.gib == pytest.approx((512 + 64 + 64 + 1024) / 1024)


def test_requests_that_wait_for_backends_need_processes_that_hold_them() -> None:
    """Answers of 10 s, at 1,000 a second: 10,000 requests, of which each gateway and controller holds 2,000."""
    found = plan(_MEASURED, "mf", 1000, 16, replace(_QUICK, answer_s=10))
    assert (found.gateways, found.controllers) == (5, 5)


def test_slots_that_are_shared_out_make_calls_larger() -> None:
    each, shared = (plan(_MEASURED, "mf", 2000, 16, replace(_QUICK, process_use=0.1, slots=slots)) for slots in ("each", "shared"))
    assert each.controllers == shared.controllers == 12
    assert shared.outcome.call_size > 1.5 * each.outcome.call_size


def test_what_fills_up_at_the_lowest_rate_stands_first() -> None:
    found = limits(_MEASURED, {1000: plan(_MEASURED, "mf", 1000, 64, _QUICK)}, _QUICK)
    rates = [each.rate for each in found]
    assert rates == sorted(rates)
    at = {each.what: each.rate for each in found}
    assert at["one controller's core"] == pytest.approx(1000)
    assert at["requests in progress in one gateway"] == 400


def test_the_command_plans_in_lines_of_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["growth", "plan", "--strategy", "bert", "--rate", "5", "50", "--prompts", "500", "--seconds", "0", "--json"]
    monkeypatch.setattr(sys, "argv", arguments)
    command.main()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["rate"] for line in lines] == [5, 50]
    assert lines[0]["replicas"] >= 1


def test_a_strategy_that_was_not_measured_is_an_error_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["growth", "plan", "--strategy", "none", "--rate", "5"])
    with pytest.raises(SystemExit, match=r"^error: none wasn't measured"):
        command.main()


def test_the_same_curves_give_the_same_file(tmp_path: Path) -> None:
    written = []
    for name in ("one.svg", "two.svg"):
        write(Plot(name, "rate", "replicas", {"mf": [(1, 1), (10, 3)]}), tmp_path)
        written.append((tmp_path / name).read_bytes())
    assert written[0] == written[1]
    assert b"</svg>" in written[0]
