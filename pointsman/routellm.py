"""RouteLLM's `Controller`, by a running Pointsman: the import changes, the rest of a program stays.

    from pointsman.routellm import Controller          # was: from routellm.controller import Controller

    client = Controller(routers=["mf"], strong_model="gpt-4-1106-preview", weak_model="mixtral-8x7b", api_base="http://127.0.0.1:6060/v1")
    response = client.chat.completions.create(model="router-mf-0.5", messages=[{"role": "user", "content": "Hello!"}])

What differs, and how to move: docs/migrating.md. Needs the package openai: pip install '.[routellm]', in a checkout.
"""

from __future__ import annotations

import asyncio
import importlib
import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final
from weakref import WeakKeyDictionary

import grpc

from pointsman.client import DEFAULT_ADDRESS, DEFAULT_TIMEOUT_S, Client, RouteError
from pointsman.client.failures import from_status
from pointsman.runtime.decision_headers import reason_name
from pointsman.v1 import route_service_pb2, routing_pb2

DEFAULT_API_BASE: Final = "http://127.0.0.1:6060/v1"
_MOST: Final = 1024
"""Prompts in one RouteBatch."""
_PAIR: Final = "x-pointsman-pair"
_TIER: Final = "x-pointsman-tier"


class RoutingError(Exception):
    """Which router, or which threshold, can't be used; RouteLLM's name for it."""


@dataclass
class ModelPair:
    """The names that the caller has for the two models."""

    strong: str
    weak: str


class Controller:
    """Has RouteLLM's constructor and methods. `api_base` is a gateway's REST and `api_key` a key of that gateway.

    `strong_model` and `weak_model` are the names that `route` gives back and `model_counts` counts by; which models there are behind them
    says the service's `pair` (`default` where none is named). `address` is the gateway's gRPC, for `route` and `batch_calculate_win_rate`.
    `config` is ignored with a warning: which checkpoints serve is the service's to say.
    """

    def __init__(
        self,
        routers: Sequence[str],
        strong_model: str,
        weak_model: str,
        config: Mapping[str, Any] | None = None,
        api_base: str | None = None,
        api_key: str | None = None,
        progress_bar: bool = False,
        *,
        address: str = DEFAULT_ADDRESS,
        pair: str | None = None,
        timeout: float = DEFAULT_TIMEOUT_S,
        **access: Any,
    ) -> None:
        """`access` is `Client`'s: tls, allow_plaintext_key. Raises `RoutingError` for a router that the service doesn't run, and
        `Unreachable` where nothing answers at `address`."""
        if config is not None:
            warnings.warn("config is ignored: the service says which checkpoints its strategies have", stacklevel=2)
        self.model_pair = ModelPair(strong_model, weak_model)
        self.api_base = api_base or DEFAULT_API_BASE
        self.api_key = api_key
        self.progress_bar = progress_bar
        self.model_counts: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
        self._pair = pair
        self._timeout = timeout
        key: dict[str, Any] = {"api_key": api_key} if api_key else {}
        self._client = Client(address, timeout=timeout, **key, **access)
        runs = [strategy.name for strategy in self._client.list_strategies().strategies]
        if missing := [router for router in routers if router not in runs]:
            raise RoutingError(f"Invalid router {missing[0]}. Available routers are {runs}.")
        self.routers = dict.fromkeys(routers)
        self._sync: Any = None
        self._by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, Any] = WeakKeyDictionary()
        self.chat = SimpleNamespace(completions=SimpleNamespace(create=self.completion, acreate=self.acompletion))

    def completion(self, *, router: str | None = None, threshold: float | None = None, **kwargs: Any) -> Any:
        """openai's ChatCompletion, or with `stream=True` its Stream. `model` wins over `router` and `threshold`.

        Raises `RoutingError`, and openai's exceptions for what the service refuses or can't do.
        """
        router, asked = self._asked(router, threshold, kwargs)
        if self._sync is None:
            self._sync = _openai().OpenAI(**self._options())
        answer = self._sync.chat.completions.with_raw_response.create(**asked)
        self._count(router, answer.headers)
        return answer.parse()

    async def acompletion(self, *, router: str | None = None, threshold: float | None = None, **kwargs: Any) -> Any:
        """The same, awaited; the event loop waits for nothing."""
        router, asked = self._asked(router, threshold, kwargs)
        loop = asyncio.get_running_loop()
        if (client := self._by_loop.get(loop)) is None:  # its connections are the loop's
            client = self._by_loop[loop] = _openai().AsyncOpenAI(**self._options())
        answer = await client.chat.completions.with_raw_response.create(**asked)
        self._count(router, answer.headers)
        return answer.parse()

    def route(self, prompt: str, router: str, threshold: float) -> str:
        """`strong_model` or `weak_model`, without calling it. Raises `RoutingError` and `RouteError`."""
        self._check(router, threshold)
        decision = self._client.route(prompt, strategies=[router], threshold=threshold, **self._routing()).decision
        return self._named(strong=decision.tier == routing_pb2.TIER_STRONG)

    def batch_calculate_win_rate(self, prompts: Any, router: str) -> Any:
        """Each prompt's strong win rate, in order: a pandas Series with the same index for a Series, else a list.

        Raises `RoutingError`, and `RouteError` for the first prompt that has none.
        """
        self._check(router, 0)
        texts = [str(prompt) for prompt in prompts]
        rates: list[float] = []
        for start in range(0, len(texts), _MOST):
            answer = self._client.route_batch(texts[start : start + _MOST], strategies=[router], threshold=0.5, **self._routing())
            for result in answer.results:
                rates.append(_win_rate(result))
        return type(prompts)(rates, index=prompts.index) if hasattr(prompts, "index") and hasattr(prompts, "apply") else rates

    def _asked(self, router: str | None, threshold: float | None, kwargs: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """The router's name, and what is sent."""
        asked = dict(kwargs)
        if "model" in asked:
            router = self._router_of(asked["model"])
        else:
            router, threshold = self._check(router, threshold)
            asked["model"] = f"router-{router}-{threshold}"
        if self._pair:
            asked["extra_headers"] = {_PAIR: self._pair, **(asked.get("extra_headers") or {})}
        return router, asked

    def _router_of(self, model: str) -> str:
        """Of a model string; that the target in it is right, the service says."""
        kind, _, rest = model.partition("-")
        router, _, target = rest.partition("-")
        if model.startswith("router:"):
            return model
        if kind != "router" or not target:
            raise RoutingError(f"Invalid model {model}. Model name must be of the format 'router-[router name]-[threshold].")
        for each in router.split("+"):
            self._check(each, 0)
        return router

    def _check(self, router: str | None, threshold: float | None) -> tuple[str, float]:
        if router is None or threshold is None:
            raise RoutingError("Router or threshold unspecified.")
        if router not in self.routers:
            raise RoutingError(f"Invalid router {router}. Available routers are {list(self.routers)}.")
        if not 0 <= threshold <= 1:
            raise RoutingError(f"Invalid threshold {threshold}. Threshold must be a float between 0.0 and 1.0.")
        return router, threshold

    def _routing(self) -> dict[str, Any]:
        return {"pair": self._pair} if self._pair else {}

    def _options(self) -> dict[str, Any]:
        # One try: the service tries again where that helps.
        return {"base_url": self.api_base, "api_key": self.api_key or "any", "timeout": self._timeout, "max_retries": 0}

    def _count(self, router: str, headers: Mapping[str, str]) -> None:
        self.model_counts[router][self._named(strong=headers.get(_TIER) == "strong")] += 1

    def _named(self, *, strong: bool) -> str:
        return self.model_pair.strong if strong else self.model_pair.weak


def _win_rate(result: route_service_pb2.RouteBatchResponse.Result) -> float:
    if result.WhichOneof("result") == "error":
        raise from_status(result.error)
    if not result.decision.HasField("strong_win_rate"):  # pinned by an operator, or nobody could score
        reason = reason_name(result.decision.reason)
        raise RouteError(grpc.StatusCode.UNAVAILABLE, reason.upper(), f"the service decided without a win rate: {reason}")
    return result.decision.strong_win_rate


def _openai() -> Any:
    try:
        return importlib.import_module("openai")
    except ModuleNotFoundError:
        raise ImportError("pointsman.routellm needs the package openai: pip install '.[routellm]', in a checkout of Pointsman") from None
