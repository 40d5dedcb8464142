"""What the frozen layers make of each turn, computed once before training: it's the costly part, so it can be resumed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import load_file, save

from pointsman.runtime.whole_files import written_whole
from scorers.causal_llm.model import PrefixedLlama, batches

CHUNK: Final = 256


@dataclass(frozen=True, slots=True)
class HiddenStates:
    """`turns` has a float16 tensor (ids, hidden) for each turn; `prefix` (ids, hidden) stands before all of them."""

    turns: list[torch.Tensor]
    prefix: torch.Tensor

    def padded(self, rows: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Those turns as float32 (n, longest, hidden), zeros after the end, and their lengths (n,)."""
        chosen = [self.turns[i].float() for i in rows]
        return torch.nn.utils.rnn.pad_sequence(chosen, batch_first=True), torch.tensor([len(turn) for turn in chosen])


def compute(trunk: PrefixedLlama, turns: Sequence[Sequence[int]], work: Path | None, report: Callable[[int], None]) -> HiddenStates:
    """Runs the frozen layers over all turns. Chunks found in the folder `work`, from a run that was cut off, aren't computed again."""
    states: list[torch.Tensor] = []
    for start in range(0, len(turns), CHUNK):
        chunk = turns[start : start + CHUNK]
        states += _resumed(trunk, chunk, work) if work else _computed(trunk, chunk)
        report(len(states))
    return HiddenStates(states, trunk.prefix_hidden.float())


def _computed(trunk: PrefixedLlama, chunk: Sequence[Sequence[int]]) -> list[torch.Tensor]:
    found: dict[int, torch.Tensor] = {}
    for batch in batches([len(turn) for turn in chunk]):
        hidden = trunk.hidden([chunk[i] for i in batch]).to(torch.float16)
        found |= {i: row[: len(chunk[i])].clone() for i, row in zip(batch, hidden, strict=True)}
    return [found[i] for i in range(len(chunk))]


def _resumed(trunk: PrefixedLlama, chunk: Sequence[Sequence[int]], work: Path) -> list[torch.Tensor]:
    """The name says what was computed over what: other ids or another trunk are another file."""
    over = json.dumps([trunk.prefix_hidden[-1].float().tolist(), [list(turn) for turn in chunk]])
    file = work / f"hidden-{hashlib.sha256(over.encode()).hexdigest()[:24]}.safetensors"
    if not file.is_file():
        work.mkdir(parents=True, exist_ok=True)
        with written_whole(file) as opened:
            opened.write(save({"hidden": torch.cat(_computed(trunk, chunk))}))
    return list(load_file(file)["hidden"].split([len(turn) for turn in chunk]))
