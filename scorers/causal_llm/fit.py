"""Fits the adapter: the linear solution first, then gradient descent for as long as it helps on prompts set aside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import comb
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from scorers.causal_llm.hidden import HiddenStates
from scorers.causal_llm.last_layer import LastLayer
from scorers.causal_llm.linear import Floats, fit_direction
from scorers.causal_llm.model import strong_win_rates

EPOCHS: Final = 3
_BATCH: Final = 32
_LEARNING_RATE: Final = 3e-4
_WEIGHT_DECAY: Final = 1e-2
_ASIDE: Final = 8  # one in so many rows is set aside for early stopping


@dataclass(frozen=True, slots=True)
class Fitted:
    """`epochs` is how many epochs of gradient descent were kept: 0 is the linear solution itself."""

    layer: LastLayer
    epochs: int
    losses: list[float]
    """On the rows set aside, before and after each epoch."""


def fit(
    llama: Any,
    states: HiddenStates,
    preferences: Floats,
    rows: Sequence[int],
    *,
    rank: int,
    penalty: float,
    seed: int,
    report: Callable[[int, int], None],
    epochs: int = EPOCHS,
) -> Fitted:
    """Fits to those rows of states and preferences (n,) of 0, 0.5 or 1."""
    shuffled = np.random.default_rng(seed).permutation(np.asarray(rows)).tolist()
    aside, kept = shuffled[::_ASIDE], [row for i, row in enumerate(shuffled) if i % _ASIDE]
    layer = LastLayer(llama, states.prefix, rank=rank, seed=seed)
    means, last = _features(layer, states, kept)
    weights, constant = fit_direction(means, preferences[kept], penalty)
    layer.begin_with(weights, constant, means, last)
    targets = soft_labels(preferences)
    best, kept_epochs = layer.adapter(), 0
    losses = [_loss(layer, states, targets, aside)]
    optimiser = torch.optim.AdamW(layer.parameters(), lr=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY)
    draw = np.random.default_rng(seed + 1)
    for epoch in range(1, epochs + 1):
        groups = _alike(states, draw.permutation(kept).tolist())
        for step in draw.permutation(len(groups)).tolist():
            loss = functional.cross_entropy(layer(*states.padded(groups[step])), targets[groups[step]])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(layer.parameters(), 1.0)
            optimiser.step()
        losses.append(_loss(layer, states, targets, aside))
        report(epoch, epochs)
        if losses[-1] > min(losses):
            report(epochs, epochs)
            break
        best, kept_epochs = layer.adapter(), epoch
    layer.load(best)
    return Fitted(layer, kept_epochs, losses)


def soft_labels(preferences: Floats) -> torch.Tensor:
    """(n, 5): the probability of each score, binomial: [[1]] where only strong was right, [[5]] where only weak, [[3]] at most of a tie."""
    p = 1 - torch.tensor(preferences, dtype=torch.float32).unsqueeze(1)
    k = torch.arange(5.0)
    return torch.tensor([float(comb(4, i)) for i in range(5)]) * p**k * (1 - p) ** (4 - k)


def win_rates(layer: LastLayer, states: HiddenStates, rows: Sequence[int]) -> NDArray[np.float64]:
    """The strong win rates of those rows."""
    return strong_win_rates(_logits(layer, states, rows).numpy())


def _features(layer: LastLayer, states: HiddenStates, rows: Sequence[int]) -> tuple[Floats, torch.Tensor]:
    means, last = np.empty((len(rows), states.prefix.shape[1])), torch.empty(len(rows), states.prefix.shape[1])
    for start in range(0, len(rows), _BATCH):
        hidden, lengths = states.padded(rows[start : start + _BATCH])
        means[start : start + _BATCH] = layer.means(hidden, lengths).numpy()
        last[start : start + _BATCH] = hidden[torch.arange(len(hidden)), lengths - 1]
    return means, last


def _alike(states: HiddenStates, rows: Sequence[int]) -> list[list[int]]:
    """Batches of alike length, so that little is computed for padding."""
    batches: list[list[int]] = []
    for start in range(0, len(rows), _BATCH * 16):
        near = sorted(rows[start : start + _BATCH * 16], key=lambda row: len(states.turns[row]))
        batches += [near[i : i + _BATCH] for i in range(0, len(near), _BATCH)]
    return batches


@torch.no_grad()
def _logits(layer: LastLayer, states: HiddenStates, rows: Sequence[int]) -> torch.Tensor:
    logits = torch.empty(len(rows), 5)
    order = sorted(range(len(rows)), key=lambda i: len(states.turns[rows[i]]))
    for start in range(0, len(order), _BATCH):
        batch = order[start : start + _BATCH]
        logits[batch] = layer(*states.padded([rows[i] for i in batch]))
    return logits


def _loss(layer: LastLayer, states: HiddenStates, targets: torch.Tensor, rows: Sequence[int]) -> float:
    return float(functional.cross_entropy(_logits(layer, states, rows), targets[list(rows)]))
