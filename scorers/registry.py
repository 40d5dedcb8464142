"""Strategy name to router class. Nothing is imported before it is asked for, so `random` never loads torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Any, Final

from pointsman.runtime.errors import UnknownStrategy
from pointsman.runtime.no_such import no_such_sentence
from pointsman.runtime.settings import StrategySettings
from scorers.errors import InvalidOptions
from scorers.router import Router

ROUTERS: Final[Mapping[str, str]] = {
    "bert": "scorers.bert.router:BERTRouter",
    "causal_llm": "scorers.causal_llm.router:CausalLLMRouter",
    "mf": "scorers.mf.router:MatrixFactorizationRouter",
    "random": "scorers.random.router:RandomRouter",
    "sw_ranking": "scorers.sw_ranking.router:SimilarityWeightedRouter",
}
"""A new strategy is one class and one line here."""


def build_router(strategy: str, settings: StrategySettings, routers: Mapping[str, str] = ROUTERS) -> Router:
    """The strategy's router, ready to score. Raises `UnknownStrategy`, and `StrategyNotBuilt` with the reason."""
    return router_class(strategy, routers).build(settings)


def router_class(strategy: str, routers: Mapping[str, str] = ROUTERS) -> type[Router]:
    """The class itself. Raises `UnknownStrategy` listing those that are known."""
    if strategy not in routers:
        raise UnknownStrategy(no_such_sentence("strategy", strategy, routers))
    module, _, name = routers[strategy].partition(":")
    found: Any = getattr(import_module(module), name)
    router: type[Router] = found
    return router


def checked_options(strategy: str, settings: StrategySettings, *, known: Sequence[str]) -> Mapping[str, Any]:
    """The strategy's options. Raises `InvalidOptions` naming one that isn't known, and the nearest that is."""
    for option in settings.options:
        if option not in known:
            near = get_close_matches(option, known, n=1)
            advice = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known) or 'none'}"
            raise InvalidOptions(f"strategies.{strategy}.options.{option}: unknown option; {advice}")
    return settings.options
