"""CUDA graphs: a forward pass's kernels captured once for each shape, then launched as one. Not measured: there was no CUDA device."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import structlog
import torch

Run = Callable[..., torch.Tensor]
"""A forward pass: tensors in, one tensor out, always the same kernels for the same shapes."""
Capture = Callable[[Run, tuple[torch.Tensor, ...]], Run]
_MOST: Final = 64  # graphs; each keeps its own memory
_WARM_UPS: Final = 3  # libraries choose their kernels in the first runs, which can't be captured
_log = structlog.get_logger()


class Graphs:
    """A forward pass that is captured for every shape it's called with; the shapes least recently used are forgotten.

    What it returns is overwritten by its next call of that shape. Where a capture fails, it goes on without any. Not for several threads.
    """

    def __init__(self, run: Run, capture: Capture, *, most: int = _MOST) -> None:
        self._run = run
        self._capture: Capture | None = capture
        self._most = most
        self._captured: OrderedDict[tuple[torch.Size, ...], Run] = OrderedDict()

    def __call__(self, *inputs: torch.Tensor) -> torch.Tensor:
        """As the forward pass itself."""
        shapes = tuple(each.shape for each in inputs)
        if shapes not in self._captured and not self._captures(shapes, inputs):
            return self._run(*inputs)
        self._captured.move_to_end(shapes)
        return self._captured[shapes](*inputs)

    def _captures(self, shapes: tuple[torch.Size, ...], inputs: tuple[torch.Tensor, ...]) -> bool:
        if self._capture is None:
            return False
        try:
            self._captured[shapes] = self._capture(self._run, inputs)
        except RuntimeError as error:
            _log.warning("a CUDA graph can't be captured; going on without", error=type(error).__name__)
            self._capture = None
            self._captured.clear()
            return False
        while len(self._captured) > self._most:
            self._captured.popitem(last=False)
        return True


def cuda_graph(run: Run, inputs: tuple[torch.Tensor, ...]) -> Run:
    """Replays `run` over tensors of these shapes, which are copied to where the graph reads them. Raises `RuntimeError`."""
    held = [each.clone() for each in inputs]
    aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(_WARM_UPS):
            run(*held)
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    # Another router may be loaded by another thread meanwhile.
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        result = run(*held)

    def replay(*given: torch.Tensor) -> torch.Tensor:
        for to, each in zip(held, given, strict=True):
            to.copy_(each, non_blocking=True)
        graph.replay()
        return result

    return replay
