"""Predicts by a causal LM's score token."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final, NamedTuple, Self

import torch

from pointsman.runtime.settings import StrategySettings
from scorers.causal_llm.adapter import adapter_shapes, merge
from scorers.causal_llm.chat import ChatTokenizer, read_tokenizer, require_control
from scorers.causal_llm.config import CONTROL, CausalLLMConfig
from scorers.causal_llm.llama import load_llama, read_llama_config
from scorers.causal_llm.model import ScoreModel, strong_win_rates
from scorers.causal_llm.routellm import MAX_TOKENS, load_routellm, version
from scorers.causal_llm.smollm2 import base_folder, default_cache
from scorers.checkpoint import load_tensors, read_config
from scorers.device import GRAPHS_OPTION, Device, device_of
from scorers.errors import InvalidOptions
from scorers.hub import checkpoint_folder, checkpoint_name
from scorers.precision import chosen_engine
from scorers.registry import checked_options
from scorers.router import ROUTELLM_PAIR, ModelPair, NoWinRate, Router, ScoredPrompt, WinRate

SHIPPED_CHECKPOINT: Final = Path(__file__).parent / "checkpoint"
_ENGINES: Final = ("float32", "bfloat16")


class _Place(NamedTuple):
    """What the model is computed in, and where."""

    dtype: torch.dtype
    device: Device


class CausalLLMRouter(Router):
    """1 - P(score >= 4): the score is the token that would follow the assistant's header, read in one forward pass."""

    strategy: ClassVar[str] = "causal_llm"
    nice: ClassVar[int] = 0  # whoever asks several strategies waits for this one

    def __init__(self, chat: ChatTokenizer, model: ScoreModel, checkpoint: str, pair: ModelPair) -> None:
        self._chat = chat
        self._model = model
        self._checkpoint = checkpoint
        self._pair = pair

    @classmethod
    def build(cls, settings: StrategySettings) -> Self:
        """See `Router`. A checkpoint of this project or of RouteLLM's layout.

        Options: `engine` (auto, float32 or bfloat16; see `scorers.precision`), `cache` (the folder where the base model is kept once it
        is converted), and, for RouteLLM's layout, `tokenizer` (a directory with a `tokenizer.json`) and `max_tokens`. CUDA is used
        where `num_gpus` asks for it, with CUDA graphs where the option `cuda_graphs` does (not measured).
        """
        options = checked_options(cls.strategy, settings, known=["engine", "cache", "tokenizer", "max_tokens", GRAPHS_OPTION])
        place = _place(settings, str(options.get("engine", "auto")))
        torch.set_num_threads(settings.threads)
        folder = checkpoint_folder(settings.checkpoint) if settings.checkpoint else SHIPPED_CHECKPOINT
        if _is_llama(folder):
            return cls._routellm(folder, checkpoint_name(settings.checkpoint or folder.name), options, place)
        for name in ("tokenizer", "max_tokens"):
            if name in options:
                raise InvalidOptions(f"strategies.causal_llm.options.{name}: only for a checkpoint of RouteLLM's layout")
        return cls._own(folder, Path(options["cache"]) if "cache" in options else default_cache(), place)

    @classmethod
    def _own(cls, folder: Path, cache: Path, place: _Place) -> Self:
        config = read_config(folder, CausalLLMConfig)
        base, _ = base_folder(cache, config.base.sha256)
        llama_config = read_llama_config(base)
        tensors = load_tensors(folder, config, adapter_shapes(llama_config, config.rank))
        llama, _ = load_llama(base, llama_config, layers=config.layers, dtype=torch.float32)
        tokenizer = read_tokenizer(base)
        require_control(tokenizer, CONTROL)
        chat = ChatTokenizer(tokenizer, config.chat, config.max_tokens)
        return cls(chat, ScoreModel(llama, merge(llama, tensors), chat.prefix, *place), config.version, config.pair)

    @classmethod
    def _routellm(cls, folder: Path, name: str, options: Mapping[str, Any], place: _Place) -> Self:
        if "tokenizer" not in options:
            raise InvalidOptions("strategies.causal_llm.options.tokenizer: a checkpoint of RouteLLM's layout has none: name its directory")
        max_tokens = options.get("max_tokens", MAX_TOKENS)
        if not isinstance(max_tokens, int) or isinstance(max_tokens, bool) or max_tokens < 16:
            raise InvalidOptions("strategies.causal_llm.options.max_tokens: a whole number from 16 is needed")
        llama, rows, chat = load_routellm(folder, Path(options["tokenizer"]), max_tokens, place.dtype)
        if chat.longest > llama.config.max_position_embeddings:
            raise InvalidOptions(
                f"strategies.causal_llm.options.max_tokens: with its format a prompt would have {chat.longest} tokens, and the model "
                f"takes {llama.config.max_position_embeddings}"
            )
        return cls(chat, ScoreModel(llama, rows, chat.prefix, *place), version(folder, name), ROUTELLM_PAIR)

    @property
    def checkpoint(self) -> str:
        """See `Router`."""
        return self._checkpoint

    @property
    def trained_pair(self) -> ModelPair:
        """See `Router`."""
        return self._pair

    def calculate_strong_win_rates(self, prompts: Sequence[ScoredPrompt]) -> list[WinRate | NoWinRate]:
        """See `Router`. Where the model gives no score the win rate is 1, as in RouteLLM."""
        turns = self._chat.turns([prompt.text for prompt in prompts])
        rates = iter(strong_win_rates(self._model.logits([turn.ids for turn in turns if turn])))
        return [
            WinRate(float(next(rates)), turn.truncated) if turn else NoWinRate("The prompt's text gave a control token.") for turn in turns
        ]


def _place(settings: StrategySettings, engine: str) -> _Place:
    device = device_of(CausalLLMRouter.strategy, settings)
    on_cuda = device.half("bfloat16")
    chosen = chosen_engine(CausalLLMRouter.strategy, engine, known=_ENGINES, cuda=device.is_cuda, on_cuda=on_cuda)
    return _Place(getattr(torch, chosen), device)


def _is_llama(folder: Path) -> bool:
    """Whether the directory's `config.json` is a Hugging Face model's and not this project's."""
    try:
        content = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and "architectures" in content
