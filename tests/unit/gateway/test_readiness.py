"""When the gateway calls itself ready."""

from __future__ import annotations

import grpc
import pytest

from gateway.controller_call import ControllerFailed
from gateway.readiness import Readiness, ReadyState, ask
from pointsman.runtime.error_forms import to_status
from pointsman.runtime.errors import Unavailable
from pointsman.v1.route_service_pb2 import ListStrategiesResponse, Strategy


class _Lists:
    """A controller that lists these, or none because it is gone."""

    def __init__(self, *strategies: Strategy, gone: bool = False) -> None:
        self._strategies = strategies
        self._gone = gone

    async def list_strategies(self, timeout_s: float) -> ListStrategiesResponse:
        if self._gone:
            raise ControllerFailed(grpc.StatusCode.UNAVAILABLE, to_status(Unavailable("nobody there")))
        return ListStrategiesResponse(strategies=self._strategies)


class _Hears:
    """Remembers nothing: nobody looks."""

    async def set(self, service: str, serving: bool) -> None:
        return


@pytest.mark.parametrize(
    ("controller", "state", "ready"),
    [
        (_Lists(Strategy(name="a", ready=True)), ReadyState("ok", {"a": "ready"}), True),
        (_Lists(Strategy(name="a", ready=True), Strategy(name="b")), ReadyState("ok", {"a": "ready", "b": "not ready"}), True),
        (_Lists(Strategy(name="a", detail="loading")), ReadyState("ok", {"a": "loading"}), False),
        (_Lists(), ReadyState("ok", {}), False),
        (_Lists(gone=True), ReadyState("unreachable: nobody there", {}), False),
    ],
    ids=["all ready", "one not", "says why", "no strategies", "no controller"],
)
async def test_ready_is_a_controller_with_a_strategy_that_is_ready(controller: _Lists, state: ReadyState, ready: bool) -> None:
    """And the state says what is missing."""
    found = await ask(controller)
    assert found == state
    assert found.ready is ready


async def test_a_gateway_that_stops_is_never_ready() -> None:
    """Whatever the strategies are."""
    readiness = Readiness(_Lists(), _Hears(), "s")
    readiness.state = ReadyState("ok", {"a": "ready"})
    readiness.stopping()
    assert readiness.state.as_json() == {"ready": False, "gateway": "stopping", "controller": "ok", "strategies": {"a": "ready"}}
