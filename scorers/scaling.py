"""How many replicas a strategy needs: Serve's autoscaling policy, told by what `scorers.load` counts in each of them.

Serve's controller gets this module by value, so it stands alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_CLEAR_S: Final = 1.0
"""In which what waits is to be worked off: well within `controller.scorer_timeout_s`."""


class ByLoad:
    """As many replicas as keep the model of each busy for `target_busy` of the time.

        replicas = (sum of busy + waiting × seconds_per_prompt / 1 s) / target_busy

    - `busy` of a replica: the share of time that its prompts would take in full batches, 0 to 1. Their sum is the number of replicas
      that would just do, in full batches, for what comes through.
    - `waiting`: prompts in the controllers' queues, by the replica that has heard of most. Times `seconds_per_prompt` (of a full batch, the
      replicas' mean) it is the work that waits, in seconds of one replica; that many more replicas do it in a second. Replicas that
      are busy all the time can't tell by `busy` how much more comes than they can do: this does.
    - `target_busy` leaves room for what comes while a further replica starts.

    All are means of the latest seconds (`look_back_period_s`). Serve then applies its delays and bounds, as to its own policy.
    """

    def __init__(self, target_busy: float) -> None:
        """`target_busy`: above 0, below 1."""
        self._target_busy = target_busy

    def __call__(self, context: Any) -> tuple[float, dict[str, Any]]:
        """Serve's `AutoscalingContext` in; replicas and no state out. While any replica hasn't told anything yet, never fewer than now."""
        told: Mapping[str, Mapping[Any, float]] = context.aggregated_metrics or {}
        busy, waiting, seconds = (told.get(name, {}) for name in ("busy", "waiting", "seconds_per_prompt"))
        if not busy:
            return context.target_num_replicas, {}
        known = [each for each in seconds.values() if each > 0]
        backlog_s = max(waiting.values(), default=0.0) * sum(known) / max(1, len(known))
        needed = (sum(busy.values()) + backlog_s / _CLEAR_S) / self._target_busy
        if len(busy) < len(context.running_replicas):
            needed = max(needed, context.target_num_replicas)
        return needed, {}
