"""Where a model runs. What needs a CUDA device isn't tested: there is none here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pointsman.runtime.settings import StrategySettings
from scorers.batching import FIXED, padded
from scorers.bert.classifier import load_classifier
from scorers.bert.router import SHIPPED_CHECKPOINT, BERTRouter
from scorers.causal_llm.llama import load_llama, read_llama_config
from scorers.causal_llm.model import ScoreModel
from scorers.device import CPU, Device, device_of, half_of, recurring_shape, tokens_within
from scorers.embedding.minilm import MiniLMThirdLayerEmbedder
from scorers.errors import InvalidOptions
from scorers.graphs import Graphs, Run
from scorers.router import ScoredPrompt
from tests.unit.scorers.causal_llm.llamas import write_routellm


def test_without_a_gpu_asked_for_the_processor_takes_tensors_as_they_are() -> None:
    """No copy, no limit, no other shape."""
    device = device_of("mf", StrategySettings(options={"cuda_graphs": True}))
    given = torch.ones(2)
    assert device == CPU
    assert device.put(given) is given
    assert device.shape(3, 17, 256) == (3, 17)
    assert device.most_tokens(lambda *_: pytest.fail("nothing to measure"), 256) is None
    assert device.fixed == FIXED
    run: Run = torch.neg
    assert device.recurring(run) is run


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_gpu_that_is_not_there_is_done_without() -> None:
    """As it was before: a replica of the settings file works on a machine without one."""
    assert device_of("bert", StrategySettings(num_gpus=1)) == CPU


@pytest.mark.parametrize("wrong", ["yes", 1, None])
def test_cuda_graphs_is_true_or_false(wrong: Any) -> None:
    """And the message names the key."""
    with pytest.raises(InvalidOptions, match=r"strategies\.mf\.options\.cuda_graphs"):
        device_of("mf", StrategySettings(options={"cuda_graphs": wrong}))


@pytest.mark.parametrize(
    ("preferred", "capability", "chosen"),
    [("bfloat16", (9, 0), "bfloat16"), ("bfloat16", (7, 5), "float16"), ("float16", (9, 0), "float16"), ("float16", (6, 1), "float16")],
)
def test_half_precision_is_what_the_device_computes(preferred: Any, capability: tuple[int, int], chosen: str) -> None:
    """No bfloat16 before compute capability 8.0."""
    assert half_of(preferred, capability) == chosen


def test_shapes_recur_and_hold_every_batch() -> None:
    """For batches of 1 to 64 prompts of 1 to 250 tokens there are 70 shapes, none of more tokens than the window has."""
    shapes = set()
    for rows in range(1, 65):
        for longest in range(1, 251):
            shape = recurring_shape(rows, longest, 250)
            assert shape[0] >= rows
            assert longest <= shape[1] <= 250
            shapes.add(shape)
    assert len(shapes) == 70


def test_a_larger_shape_is_filled_with_copies_of_the_first_row() -> None:
    """So that no row is all padding, whose attention would have nothing to look at."""
    tokens, mask = padded([[5, 6], [7]], 1, (4, 3))
    assert tokens.tolist() == [[5, 6, 1], [7, 1, 1], [5, 6, 1], [5, 6, 1]]
    assert mask.tolist() == [[1, 1, 0], [1, 0, 0], [1, 1, 0], [1, 1, 0]]


def test_a_batch_is_as_large_as_memory_allows() -> None:
    """With a reserve; and where hardly any is free, as large as what was measured."""
    assert tokens_within(10e9, 1e6) == 7000
    assert tokens_within(0, 1e6) == 512


class Captures:
    """Records what is captured, and replays by calling."""

    def __init__(self, error: Exception | None = None) -> None:
        self.shapes: list[tuple[int, ...]] = []
        self._error = error

    def __call__(self, run: Run, inputs: tuple[torch.Tensor, ...]) -> Run:
        if self._error:
            raise self._error
        self.shapes.append(tuple(inputs[0].shape))
        return lambda *given: run(*given)


def test_a_graph_is_captured_once_for_each_shape() -> None:
    """And used again for other values."""
    captures = Captures()
    graphs = Graphs(torch.neg, captures)
    found = [graphs(torch.full(shape, value)).tolist() for shape, value in (((2,), 1.0), ((3,), 2.0), ((2,), 3.0))]
    assert found == [[-1, -1], [-2, -2, -2], [-3, -3]]
    assert captures.shapes == [(2,), (3,)]


def test_the_shape_least_recently_used_is_forgotten() -> None:
    """Graphs keep memory, so there are only so many."""
    captures = Captures()
    graphs = Graphs(torch.neg, captures, most=2)
    for size in (1, 2, 1, 3, 1, 2):
        graphs(torch.ones(size))
    assert captures.shapes == [(1,), (2,), (3,), (2,)]


def test_where_nothing_can_be_captured_the_model_runs_without() -> None:
    """It's tried once."""
    captures = Captures(RuntimeError("operation not permitted when stream is capturing"))
    graphs = Graphs(torch.neg, captures)
    assert [graphs(torch.ones(1)).item() for _ in range(3)] == [-1, -1, -1]
    assert captures.shapes == []


class Recurring(Device):
    """A processor that pads as CUDA graphs would have it."""

    def shape(self, rows: int, longest: int, most: int) -> tuple[int, int]:
        """See `Device`."""
        return recurring_shape(rows, longest, most)


_TEXTS = ["Why?", "Prove that it holds for every n.", "word " * 300]


def test_embeddings_are_the_same_in_shapes_that_recur() -> None:
    """To rounding."""
    plain, recurring = (MiniLMThirdLayerEmbedder(device=device).embed(_TEXTS).vectors for device in (CPU, Recurring()))
    assert np.abs(plain - recurring).max() < 1e-6


def test_berts_probabilities_are_the_same_in_shapes_that_recur() -> None:
    """To rounding."""
    prompts = [ScoredPrompt(text) for text in _TEXTS]
    routers = (BERTRouter(load_classifier(SHIPPED_CHECKPOINT), engine="float32", device=device) for device in (CPU, Recurring()))
    plain, recurring = ([each.strong_win_rate for each in router.calculate_strong_win_rates(prompts)] for router in routers)  # type: ignore[union-attr]
    assert plain == pytest.approx(recurring, abs=1e-6)


def test_a_causal_llms_logits_are_the_same_in_shapes_that_recur(tmp_path: Path) -> None:
    """To rounding."""
    write_routellm(tmp_path, vocabulary=300)
    turns = [[5, 6, 7], [8], list(range(40)), [9, 9]]
    llama, head = load_llama(tmp_path, read_llama_config(tmp_path), layers=2, dtype=torch.float32)
    plain, recurring = (ScoreModel(llama, head[:5], [1, 2], device=device).logits(turns) for device in (CPU, Recurring()))
    assert np.abs(plain - recurring).max() < 1e-5
