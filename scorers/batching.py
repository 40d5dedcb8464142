"""Which prompts go through a model together: those of alike length, so that little is computed for padding.

A forward pass costs some time whatever is in it, and then some for each token of its longest prompt times its prompts. What it costs in
any case is counted in tokens too, so the cheapest way of splitting a batch is found without knowing how fast the machine is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import torch

FIXED: Final = 40
"""Tokens' worth of time that a forward pass takes in any case, on a processor: 60 for bert, 45 for the embedder, 30 for causal_llm (a batch
over a word in benchmarks/growth.md)."""


def alike(lengths: Sequence[int], *, most: int, fixed: int = FIXED, most_tokens: int | None = None) -> list[list[int]]:
    """All indices, in batches of at most `most`, the short ones first: the split with the least of `fixed` tokens a batch and its padded
    tokens. A batch has at most `most_tokens` of these, except where one prompt alone has more."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    cheapest, begins = [0], [0]
    """For the first so many of the order: what they cost, and where the last batch of them begins."""
    for end in range(1, len(order) + 1):
        longest = lengths[order[end - 1]]
        best, begin = cheapest[end - 1] + fixed + longest, end - 1
        for start in range(end - 2, max(-1, end - most - 1), -1):
            tokens = (end - start) * longest
            if most_tokens is not None and tokens > most_tokens:
                break
            if (cost := cheapest[start] + fixed + tokens) <= best:
                best, begin = cost, start
        cheapest.append(best)
        begins.append(begin)
    found: list[list[int]] = []
    end = len(order)
    while end:
        found.append(order[begins[end] : end])
        end = begins[end]
    return found[::-1]


def padded(ids: Sequence[Sequence[int]], padding: int, shape: tuple[int, int] | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and mask, (prompts, longest) or of a larger `shape`, whose further rows are copies of the first."""
    import torch

    rows, longest = shape or (len(ids), max(len(each) for each in ids))
    filled = [*ids, *[ids[0]] * (rows - len(ids))]
    tokens = torch.tensor([[*each, *[padding] * (longest - len(each))] for each in filled])
    mask = torch.tensor([[1] * len(each) + [0] * (longest - len(each)) for each in filled])
    return tokens, mask
