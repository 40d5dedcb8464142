"""Where a model runs, and what that place asks for: half precision, pinned memory, batches as large as memory allows, CUDA graphs.

What is for CUDA was written without one at hand: tests cover what a processor can run of it, and nothing of it was measured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import torch

from pointsman.runtime.settings import StrategySettings
from scorers.batching import FIXED
from scorers.errors import InvalidOptions
from scorers.graphs import Graphs, Run, cuda_graph

GRAPHS_OPTION: Final = "cuda_graphs"
_FIXED_ON_CUDA: Final = 2048  # tokens' worth of launching a forward pass; assumed
_SHARE: Final = 0.7  # of the memory that is free, or is the replica's: what isn't counted needs some too
_BFLOAT16_FROM: Final = (8, 0)  # compute capability
_PROBE: Final = 512


@dataclass(frozen=True, slots=True)
class Device:
    """A processor (the default) or the process's one CUDA device."""

    name: Literal["cpu", "cuda"] = "cpu"
    share: float = 1.0
    """Of the device's memory, 0 to 1: what is left belongs to other replicas."""
    graphs: bool = False
    """Whether forward passes of recurring shapes are captured and replayed; for CUDA alone."""

    @property
    def is_cuda(self) -> bool:
        """Whether it's a CUDA device."""
        return self.name == "cuda"

    @property
    def fixed(self) -> int:
        """What a forward pass costs in any case, in tokens: see `scorers.batching`."""
        return _FIXED_ON_CUDA if self.is_cuda else FIXED

    def half(self, preferred: Literal["float16", "bfloat16"]) -> str:
        """The half precision that `auto` takes on CUDA; bfloat16 only where the device computes it itself."""
        return half_of(preferred, torch.cuda.get_device_capability()) if self.is_cuda else preferred

    def put(self, tensor: torch.Tensor) -> torch.Tensor:
        """The tensor there. To CUDA from pinned memory, without waiting for what the device does meanwhile."""
        return tensor.pin_memory().to("cuda", non_blocking=True) if self.is_cuda else tensor

    def shape(self, rows: int, longest: int, most: int) -> tuple[int, int]:
        """Of a batch as it's padded: as it is, or with graphs one of few shapes, none longer than `most` tokens."""
        return recurring_shape(rows, longest, most) if self.graphs else (rows, longest)

    def recurring(self, run: Run) -> Run:
        """The function as it's best called again and again."""
        return Graphs(run, cuda_graph) if self.graphs else run

    def most_tokens(self, run: Callable[[int, int], object], longest: int) -> int | None:
        """Padded tokens that a batch may have, by the memory that is free; None is no limit, on a processor.

        `run` makes a forward pass of so many prompts of so many tokens, which are `longest` at most.
        """
        if not self.is_cuda:
            return None
        shape = max(1, _PROBE // longest), min(longest, _PROBE)
        run(*shape)  # what is allocated once isn't a batch's
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        held = torch.cuda.memory_allocated()
        run(*shape)
        torch.cuda.synchronize()
        free, total = torch.cuda.mem_get_info()
        each = (torch.cuda.max_memory_allocated() - held) / (shape[0] * shape[1])
        return tokens_within(min(free, int(self.share * total) - held), each)


CPU: Final = Device()


def device_of(strategy: str, settings: StrategySettings) -> Device:
    """CUDA where `num_gpus` asks for it and there is one. Raises `InvalidOptions` for a `cuda_graphs` that isn't true or false."""
    graphs = settings.options.get(GRAPHS_OPTION, False)
    if not isinstance(graphs, bool):
        raise InvalidOptions(f"strategies.{strategy}.options.{GRAPHS_OPTION}: true or false is needed, not {graphs!r}.")
    if settings.num_gpus > 0 and torch.cuda.is_available():
        return Device("cuda", min(1.0, settings.num_gpus), graphs)
    return CPU


def half_of(preferred: Literal["float16", "bfloat16"], capability: tuple[int, int]) -> str:
    """By a device's compute capability."""
    return "float16" if preferred == "bfloat16" and capability < _BFLOAT16_FROM else preferred


def recurring_shape(rows: int, longest: int, most: int) -> tuple[int, int]:
    """Rows up to a power of two; tokens up to a multiple of 16, or of 64 above 128, but not above `most`."""
    step = 16 if longest <= 128 else 64
    return 1 << (rows - 1).bit_length(), min(most, -(-longest // step) * step)


def tokens_within(free_bytes: float, bytes_per_token: float) -> int:
    """Padded tokens that fit, at least those that the measurement was made with."""
    return max(_PROBE, int(_SHARE * free_bytes / bytes_per_token))
