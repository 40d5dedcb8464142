"""How long Serve's controller rests, by Serve's own controller."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from scorers.quiet import BUSY_S, IDLE_S, keep_pace


@pytest.mark.filterwarnings("default")  # Ray's own, at its import
async def test_serves_controller_rests_as_it_is_told_after_each_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the name that its loop reads, and by what it calls."""
    from ray.serve._private import controller
    from ray.serve._private.common import DeploymentID, DeploymentStatus, DeploymentStatusInfo, DeploymentStatusTrigger
    from ray.serve._private.deployment_state import DeploymentStateManager

    theirs = controller.ServeController
    assert {"run_control_loop_step", "sleep", "CONTROL_LOOP_INTERVAL_S"} <= set(theirs.run_control_loop.__code__.co_names)
    assert callable(DeploymentStateManager.get_deployment_statuses)
    turns: list[Any] = []

    async def turn(self: Any, *arguments: Any) -> None:
        turns.append(arguments)

    monkeypatch.setattr(theirs, "run_control_loop_step", turn)
    monkeypatch.setattr(controller, "CONTROL_LOOP_INTERVAL_S", IDLE_S)
    keep_pace()
    status = DeploymentStatusInfo(DeploymentID("Scorer", "mf"), DeploymentStatus.UPDATING, DeploymentStatusTrigger.CONFIG_UPDATE_STARTED)
    manager = SimpleNamespace(get_deployment_statuses=lambda: [status])
    await theirs.run_control_loop_step(SimpleNamespace(deployment_state_manager=manager), 1.0, 2.0, 3)
    assert turns == [(1.0, 2.0, 3)]
    assert controller.CONTROL_LOOP_INTERVAL_S == BUSY_S
