"""A discrete-event simulation of scoring: prompts arrive, controllers coalesce them into calls, replicas into batches.

What is simulated is what the code does: a controller sends when a slot is free, its share of what waits, at most `max_batch` prompts a
call, and nothing that can't be answered in time; HAProxy picks the replica with the fewest calls; a replica gathers what comes from all
controllers into its next batch; full queues refuse. Callers, gateways and backends aren't simulated, and everything that was configured
stays up.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from benchmarks.growth.arrivals import Floats
from benchmarks.growth.outcome import Outcome, Tally
from benchmarks.growth.parts import Call, Controller, Proxy, Replica

_REACHED, _BATCHED, _ANSWERED, _REFUSED, _DEADLINE = range(5)
_WARM_UP: Final = 0.1
"""The share of arrivals, from the first, that no figure counts."""


@dataclass(frozen=True, slots=True)
class Design:
    """What is simulated. The defaults are those of the settings and of Serve."""

    replicas: int
    service: Callable[[int], float]
    """Seconds of the model for a batch of so many prompts."""
    controllers: int = 1
    slots: int | None = None
    """Calls that each controller may have in flight; None: one for each replica."""
    max_batch: int = 16
    """Prompts in a call, and in a batch of the model."""
    small_batch: int = 4
    """A call takes its share of what waits, one of the slots', but so many."""
    max_waiting: float = 1024
    """Prompts in a controller's queue."""
    max_queued: float = 256
    """Prompts in a replica's queue."""
    timeout_s: float = 2.0
    hop_s: float = 0.0
    """From a controller to a replica, and as long back."""
    call_s: float = 0.0
    """Of the replica's one core, for each call; its model waits meanwhile."""
    streams: float = 100
    """Calls at once on a controller's connection; others wait in its client."""
    proxies: int = 1
    """HAProxies, each with its own count of calls; controllers are spread over them."""


def simulate(design: Design, arrivals: Floats, seed: int = 0) -> Outcome:
    """All prompts arrive, at `arrivals` (n,) in seconds, and are answered, refused or too late."""
    return _Simulation(design, arrivals, seed).run()


class _Simulation:
    """Events in the order of their times: arrivals from their array, everything else from a heap."""

    def __init__(self, design: Design, arrivals: Floats, seed: int) -> None:
        self._design = design
        self._arrivals: list[float] = arrivals.tolist()
        # Many gateways going round many controllers: to each of these prompts come as if drawn.
        self._to = np.random.default_rng(seed).integers(design.controllers, size=len(arrivals)).tolist()
        slots = design.replicas if design.slots is None else design.slots
        proxies = [Proxy(design.replicas) for _ in range(design.proxies)]
        self._controllers = [Controller(slots, proxies[number % len(proxies)]) for number in range(design.controllers)]
        self._replicas = [Replica() for _ in range(design.replicas)]
        self._heap: list[tuple[float, int, int, object]] = []
        self._events = 0
        self._tally = Tally(len(arrivals), int(len(arrivals) * _WARM_UP))

    def run(self) -> Outcome:
        """To the last event."""
        heap, handlers = self._heap, (self._reached, self._batched, self._answered, self._refused, self._deadline)
        for item, (at, to) in enumerate(zip(self._arrivals, self._to, strict=True)):
            while heap and heap[0][0] <= at:
                now, _, kind, what = heapq.heappop(heap)
                handlers[kind](now, what)
            self._arrived(at, item, self._controllers[to])
        while heap:
            now, _, kind, what = heapq.heappop(heap)
            handlers[kind](now, what)
        return self._tally.outcome(self._arrivals, sum(each.busy_s for each in self._replicas) / len(self._replicas))

    def _later(self, at: float, kind: int, what: object) -> None:
        self._events += 1
        heapq.heappush(self._heap, (at, self._events, kind, what))

    def _gone(self, now: float, item: int) -> bool:
        """Its caller waits no longer."""
        return now >= self._arrivals[item] + self._design.timeout_s

    def _arrived(self, now: float, item: int, controller: Controller) -> None:
        queue = controller.queue
        if len(queue) >= self._design.max_waiting:
            while queue and self._gone(now, queue[0]):
                queue.popleft()
        if len(queue) >= self._design.max_waiting:
            self._tally.refused(item)
            return
        queue.append(item)
        self._pump(now, controller)

    def _pump(self, now: float, controller: Controller) -> None:
        while controller.queue and controller.in_flight < controller.slots(now):
            quickest, until = controller.quickest(now), now - self._design.timeout_s
            items: list[int] = []
            share = max(self._design.small_batch, math.ceil(len(controller.queue) / controller.slots(now)))
            while controller.queue and len(items) < min(share, self._design.max_batch):
                item = controller.queue.popleft()
                # What is too late already, or can't be answered in time, isn't sent.
                if self._arrivals[item] > until and self._arrivals[item] - until >= quickest:
                    items.append(item)
            if items:
                self._send(now, Call(controller, items, now))

    def _send(self, now: float, call: Call) -> None:
        call.controller.in_flight += 1
        self._tally.sent(len(call.items), call.controller.in_flight)
        if self._design.timeout_s < np.inf:
            self._later(self._arrivals[call.items[-1]] + self._design.timeout_s, _DEADLINE, call)
        if call.controller.streams < self._design.streams:
            self._on_the_wire(now, call)
        else:
            call.controller.unsent.append(call)

    def _on_the_wire(self, now: float, call: Call) -> None:
        call.controller.streams += 1
        call.replica = call.controller.proxy.chosen()
        self._later(now + self._design.hop_s, _REACHED, call)

    def _reached(self, now: float, call: object) -> None:
        assert isinstance(call, Call)
        if call.ended:
            return
        replica = self._replicas[call.replica]
        if len(replica.queue) + len(call.items) > self._design.max_queued:
            replica.queue = type(replica.queue)(each for each in replica.queue if not each[0].ended)
        if len(replica.queue) + len(call.items) > self._design.max_queued:
            self._later(now + self._design.hop_s, _REFUSED, call)
            return
        replica.queue.extend((call, item) for item in call.items)
        if not replica.busy:
            self._run_batch(now, replica)

    def _run_batch(self, now: float, replica: Replica) -> None:
        batch: list[int] = []
        whole: list[Call] = []
        queue = replica.queue
        while queue and len(batch) < self._design.max_batch:
            call, item = queue.popleft()
            if call.ended:
                continue
            batch.append(item)
            call.left -= 1
            if not call.left:
                whole.append(call)
        replica.busy = bool(batch)
        if batch:
            model_s = self._design.service(len(batch))
            seconds = model_s + self._design.call_s * len(whole)
            replica.busy_s += seconds
            self._tally.batched(batch, model_s)
            self._later(now + seconds, _BATCHED, (replica, whole))

    def _batched(self, now: float, what: object) -> None:
        assert isinstance(what, tuple)
        replica, whole = what
        for call in whole:
            self._later(now + self._design.hop_s, _ANSWERED, call)
        self._run_batch(now, replica)

    def _answered(self, now: float, call: object) -> None:
        assert isinstance(call, Call)
        if call.ended:
            return
        call.controller.took(now, now - call.began)
        for item in call.items:
            if not self._gone(now, item):
                self._tally.answered(item, now)
        self._end(now, call)

    def _refused(self, now: float, call: object) -> None:
        assert isinstance(call, Call)
        if call.ended:
            return
        call.controller.refused(now)
        for item in call.items:
            self._tally.refused(item)
        self._end(now, call)

    def _deadline(self, now: float, call: object) -> None:
        assert isinstance(call, Call)
        if not call.ended:
            self._end(now, call)

    def _end(self, now: float, call: Call) -> None:
        call.ended = True
        controller = call.controller
        controller.in_flight -= 1
        if call.replica >= 0:
            controller.proxy.ended(call.replica)
            controller.streams -= 1
            while controller.unsent and controller.streams < self._design.streams:
                following = controller.unsent.popleft()
                if not following.ended:
                    self._on_the_wire(now, following)
        self._pump(now, controller)
