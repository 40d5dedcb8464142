"""What Ray does whether or not anything happens, and nobody here has a use for: left out, or done seldom.

Beside `scorers.serve` the one module that speaks Ray. What it touches is Ray's own and may go with any of its versions; whatever is gone is
then done as Ray does it, except for `keep_pace`, without which Serve's controller wouldn't start. tests/on_ray notices either.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

BUSY_S: Final = 0.1
"""Between two turns of Serve's controller while something becomes of a deployment, which takes several turns. Ray's own default."""
IDLE_S: Final = 1.0
"""While nothing does. Each turn asks Ray's head three things; how load is spread, and what dies, is noticed by others first."""
_SETTLED_S: Final = 10.0
"""For so long all is as it should be, before nothing is said to happen: proxies start and drain beside deployments."""
_SETTLED: Final = frozenset({"HEALTHY", "DEPLOY_FAILED"})
_SELDOM_S: Final = 3600

QUIET: Final[Mapping[str, str]] = {
    "RAY_enable_metrics_collection": "0",
    "RAY_task_events_report_interval_ms": "0",
    "RAY_enable_timeline": "0",
    "RAY_metrics_report_interval_ms": "60000",
    # How long each of Ray's handlers took: counted with each, and written to its logs once a minute.
    "RAY_event_stats": "0",
    "RAY_raylet_report_resources_period_milliseconds": "1000",
    "RAY_gcs_pull_resource_loads_period_milliseconds": "10000",
    # What the machine's part of Ray looks at; the last is how soon a replica ends where the machine's memory does.
    "RAY_debug_dump_period_milliseconds": "0",
    "RAY_raylet_check_gc_period_milliseconds": "1000",
    "RAY_kill_idle_workers_interval_ms": "1000",
    "RAY_object_manager_timer_freq_ms": "1000",
    "RAY_memory_monitor_refresh_ms": "1000",
    # What the agent tells the dashboard, which isn't there.
    "REPORTER_UPDATE_INTERVAL_MS": str(_SELDOM_S * 1000),
    "SCAN_EVENT_DIR_INTERVAL_SECONDS": str(_SELDOM_S),
    "RAY_SERVE_METRICS_EXPORT_INTERVAL_MS": "5000",
    "RAY_SERVE_HAPROXY_METRICS_ENABLED": "0",
    "RAY_SERVE_CONTROL_LOOP_INTERVAL_S": str(IDLE_S),
    "RAY_SERVE_CONTROLLER_CALLBACK_IMPORT_PATH": f"{__name__}:keep_pace",
}
"""Variables of Ray's, for what runs all the time."""


@contextmanager
def serving_alone() -> Iterator[None]:
    """`ray.init` in it starts what serves and no more: neither what reads all logs again and again for drivers that print them, nor what
    asks a cloud for machines, nor the dashboard, of which a part runs even where it isn't wanted."""
    import ray

    module, theirs = ray._private.node, ray._private.node.Node

    class Node(theirs):  # type: ignore[misc, valid-type]  # Ray has no types
        def start_log_monitor(self) -> None: ...

        def start_monitor(self) -> None: ...

        def start_api_server(self, **_: Any) -> None:
            # Agents look for its address once a second until there is one, and write an error each time.
            constants = ray._private.ray_constants
            where = (constants.DASHBOARD_ADDRESS.encode(), b"127.0.0.1:0", True, constants.KV_NAMESPACE_DASHBOARD)
            self.get_gcs_client().internal_kv_put(*where)

    module.Node = Node
    try:
        yield
    finally:
        module.Node = theirs


class Pace:
    """How long Serve's controller rests between its turns."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._moved = clock()

    def rest_s(self, statuses: Iterable[str]) -> float:
        """After a turn that left deployments in these statuses."""
        now = self._clock()
        if not _SETTLED.issuperset(statuses):
            self._moved = now
        return IDLE_S if now - self._moved >= _SETTLED_S else BUSY_S


def keep_pace() -> None:
    """Serve's controller calls this once, while it starts: from then on it rests as `Pace` says."""
    from ray.serve._private import controller

    pace, turn = Pace(), controller.ServeController.run_control_loop_step

    async def paced(self: Any, *arguments: Any) -> None:
        await turn(self, *arguments)
        deployments = self.deployment_state_manager.get_deployment_statuses()
        controller.CONTROL_LOOP_INTERVAL_S = pace.rest_s(each.status.value for each in deployments)

    controller.ServeController.run_control_loop_step = paced
