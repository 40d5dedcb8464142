"""What a simulation is made of: calls, controllers' queues, replicas, and HAProxy's choice of one."""

from __future__ import annotations

import heapq
from collections import deque
from typing import Final

_RECENT_S: Final = 5.0
_RECENT: Final = 32
_HELD_S: Final = 2.0


class Call:
    """Prompts on their way to a replica and back."""

    __slots__ = ("began", "controller", "ended", "items", "left", "replica")

    def __init__(self, controller: Controller, items: list[int], began: float) -> None:
        self.controller = controller
        self.items = items
        self.left = len(items)
        self.began = began
        self.ended = False
        """Answered, refused or given up by the controller."""
        self.replica = -1
        """Negative while it waits for a stream."""


class Controller:
    """One strategy's coalescing queue (pointsman.runtime.batcher.Batcher with controller.coalescing's Slots and Quickest)."""

    __slots__ = ("_held", "_held_until", "_slots", "_took", "in_flight", "proxy", "queue", "streams", "unsent")

    def __init__(self, slots: int, proxy: Proxy) -> None:
        self._slots = slots
        self._held = 0
        self._held_until = 0.0
        self._took: deque[tuple[float, float]] = deque(maxlen=_RECENT)
        self.queue: deque[int] = deque()
        self.in_flight = 0
        self.proxy = proxy
        self.streams = 0
        """Calls on the connection; the others in flight are `unsent`."""
        self.unsent: deque[Call] = deque()

    def slots(self, now: float) -> int:
        """Calls that may be in flight."""
        return min(self._slots, self._held) if now < self._held_until else self._slots

    def refused(self, now: float) -> None:
        """By a replica whose queue is full."""
        self._held = max(1, self.slots(now) // 2)
        self._held_until = now + _HELD_S

    def took(self, now: float, seconds: float) -> None:
        """A call was answered after so long."""
        self._took.append((now, seconds))

    def quickest(self, now: float) -> float:
        """Of recent calls; what has less time left isn't sent."""
        while self._took and self._took[0][0] < now - _RECENT_S:
            self._took.popleft()
        return min((seconds for _, seconds in self._took), default=0.0)


class Replica:
    """One model, one batch at a time, and the queue before it."""

    __slots__ = ("busy", "busy_s", "queue")

    def __init__(self) -> None:
        self.queue: deque[tuple[Call, int]] = deque()
        self.busy = False
        self.busy_s = 0.0


class Proxy:
    """One HAProxy: the replica with the fewest of its own calls, and of those the one that has waited longest (leastconn)."""

    __slots__ = ("_counts", "_heap", "_stamps", "_tick")

    def __init__(self, replicas: int) -> None:
        self._counts = [0] * replicas
        self._stamps = list(range(replicas))
        self._heap = [(0, each, each) for each in range(replicas)]
        self._tick = replicas

    def chosen(self) -> int:
        """The replica for a call, which counts until it's `ended`."""
        while True:
            count, stamp, replica = heapq.heappop(self._heap)
            if self._stamps[replica] == stamp and self._counts[replica] == count:
                self._changed(replica, 1)
                return replica

    def ended(self, replica: int) -> None:
        """A call there is over."""
        self._changed(replica, -1)

    def _changed(self, replica: int, by: int) -> None:
        self._tick += 1
        self._counts[replica] += by
        self._stamps[replica] = self._tick
        # Earlier entries of this replica stay in the heap and are passed over when their turn comes.
        heapq.heappush(self._heap, (self._counts[replica], self._tick, replica))
        if len(self._heap) > 8 * len(self._counts) + 64:
            self._heap = [(count, stamp, each) for each, (count, stamp) in enumerate(zip(self._counts, self._stamps, strict=True))]
            heapq.heapify(self._heap)
