"""What of Ray is slowed down."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from pointsman.runtime.scorers_settings import ScorersSettings
from scorers.instance import Instance, ray_environment
from scorers.quiet import BUSY_S, IDLE_S, QUIET, Pace

_READ_IN = (
    "core/src/ray/raylet/raylet",
    "serve/_private/constants.py",
    "dashboard/modules/reporter/reporter_consts.py",
    "dashboard/modules/event/event_consts.py",
)


class Clock:
    """Stands still until it is moved."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_ray_reads_each_variable() -> None:
    """By its own source and binary: a name that it doesn't know does nothing."""
    ray = find_spec("ray")
    assert ray
    assert ray.submodule_search_locations
    read = b"".join(Path(ray.submodule_search_locations[0], file).read_bytes() for file in _READ_IN)
    assert [name for name in QUIET if name.encode() not in read and name.removeprefix("RAY_").encode() not in read] == []


def test_everything_that_ray_starts_has_them(tmp_path: Path) -> None:
    """Among the variables of a run."""
    assert ray_environment(Instance(tmp_path, 1, 2), ScorersSettings()).items() >= QUIET.items()


@pytest.mark.parametrize("status", ["UPDATING", "UPSCALING", "DOWNSCALING", "UNHEALTHY"])
def test_the_controller_rests_briefly_while_something_becomes_of_a_deployment(status: str) -> None:
    """And for some seconds after; from its start too, when there are none."""
    clock = Clock()
    pace = Pace(clock)
    assert pace.rest_s([]) == BUSY_S
    clock.now += 60
    assert pace.rest_s(["HEALTHY", status]) == BUSY_S
    clock.now += 9
    assert pace.rest_s(["HEALTHY", "HEALTHY"]) == BUSY_S
    clock.now += 1
    assert pace.rest_s(["HEALTHY", "HEALTHY"]) == IDLE_S
    assert pace.rest_s(["HEALTHY", status]) == BUSY_S


def test_what_has_failed_for_good_keeps_nobody_busy() -> None:
    """It waits for another deployment."""
    clock = Clock()
    pace = Pace(clock)
    clock.now += 10
    assert pace.rest_s(["HEALTHY", "DEPLOY_FAILED"]) == IDLE_S
