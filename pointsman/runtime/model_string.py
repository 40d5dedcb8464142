"""RouteLLM's model string: `router-mf-0.1`, `router-mf-30pct`, `router-mf+bert-0.3`, `router:support-bot`."""

from __future__ import annotations

import re

from pointsman.runtime.errors import InvalidModelString
from pointsman.v1 import routing_pb2

_STRATEGIES = r"(?P<strategies>[a-z][a-z0-9_]*(?:\+[a-z][a-z0-9_]*)*)"
_DECIMAL = r"(?P<threshold>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
_SHARE = r"(?P<percent>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))pct"
_MODEL_STRING = re.compile(rf"router-{_STRATEGIES}-(?:{_SHARE}|{_DECIMAL})|router:(?P<policy>[A-Za-z0-9][A-Za-z0-9._-]*)", re.ASCII)
_EXAMPLE = "a model string reads router-<strategy>-<threshold>, such as router-mf-0.1 (also router-mf-30pct, router:<policy>)"
_SHOWN = 80  # characters of a wrong model string that an error repeats


def is_router(model: str) -> bool:
    """Whether the string asks for routing at all; any other names a backend."""
    return model.startswith("router")


def parse_model_string(model: str) -> routing_pb2.RoutingSpec:
    """The routing spec that a model string stands for.

    The threshold is a decimal in [0, 1] in ASCII digits without a sign, exponents allowed (`1e-05`, as an f-string prints
    it); a percentage in [0, 100] with `pct` behind it is a strong share. Raises `InvalidModelString`, which says what is wrong
    and what would be right. Whether the strategies exist is not asked here.
    """
    match = _MODEL_STRING.fullmatch(model) if len(model) <= 256 else None
    if match is None:
        raise InvalidModelString(f"model {_shown(model)}: {_what_is_wrong(model)}; {_EXAMPLE}", param="model")
    if policy := match["policy"]:
        return routing_pb2.RoutingSpec(policy=policy)
    strategies = match["strategies"].split("+")
    if match["percent"] is not None:
        share = float(match["percent"]) / 100
        _check_range(model, "the strong share", share, "0pct to 100pct")
        return routing_pb2.RoutingSpec(strategies=strategies, strong_share=share)
    threshold = float(match["threshold"])
    _check_range(model, "the threshold", threshold, "0 to 1")
    return routing_pb2.RoutingSpec(strategies=strategies, threshold=threshold)


def percent(share: float) -> str:
    """A strong share as a model string has it: `12.5` for 0.125."""
    return f"{share * 100:.6f}".rstrip("0").rstrip(".")


def _check_range(model: str, what: str, value: float, allowed: str) -> None:
    if not 0 <= value <= 1:
        raise InvalidModelString(f"model {_shown(model)}: {what} must be {allowed}; {_EXAMPLE}", param="model")


def _shown(model: str) -> str:
    return repr(model) if len(model) <= _SHOWN else repr(model[:_SHOWN]) + "…"


def _what_is_wrong(model: str) -> str:
    if not model:
        return "it is empty"
    if not model.startswith(("router-", "router:")):
        return "it names neither a router nor a backend that may be called by name"
    if model.startswith("router:"):
        return "a policy's name is letters, digits, '.', '_' and '-'"
    strategy, dash, threshold = model.removeprefix("router-").rpartition("-")
    if not dash or not threshold:
        return "the threshold is missing"
    if not re.fullmatch(_STRATEGIES, strategy, re.ASCII):
        return "the strategy's name is missing or has a character other than a-z, 0-9, '_' and '+'"
    return f"{_shown(threshold)} is not a decimal number from 0 to 1 in plain ASCII digits"
