"""GET /v1/models in OpenAI's shape: what may stand in a request's `model`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gateway.controller_client import ControllerClient
from gateway.exchange import Exchange
from gateway.identity.keyring import caller_metadata
from pointsman.runtime.errors import InvalidModelString, NotFound
from pointsman.runtime.model_string import parse_model_string, percent
from pointsman.v1 import route_service_pb2

_TIMEOUT_S: Final = 5.0
Listed = route_service_pb2.ListStrategiesResponse


def model_ids(listed: Listed) -> list[str]:
    """Thresholds are infinitely many, so each strategy, and each ensemble that has a record, stands with 0.5 and with the shares it is
    calibrated for."""
    return list(dict.fromkeys(_ids(listed)))


def _ids(listed: Listed) -> Iterator[str]:
    named = [(each.name, each.calibrations) for each in listed.strategies] + [(each.name, each.calibrations) for each in listed.ensembles]
    for name, calibrations in named:
        yield f"router-{name}-0.5"
        for calibration in calibrations:
            for found in calibration.thresholds:
                if found.HasField("strong_share"):
                    yield f"router-{name}-{percent(found.strong_share)}pct"
    yield from (f"router:{policy}" for policy in listed.policies)
    yield from listed.backends


def exists(model: str, listed: Listed) -> bool:
    """Whether a request may name it: listed, or a model string with another threshold."""
    if model in model_ids(listed):
        return True
    try:
        spec = parse_model_string(model)
    except InvalidModelString:
        return False
    return bool(spec.strategies) and set(spec.strategies) <= {strategy.name for strategy in listed.strategies}


def _entry(model: str) -> dict[str, object]:
    # OpenAI's clients need `created`; nothing here has a date.
    return {"id": model, "object": "model", "created": 0, "owned_by": "pointsman"}


class Models:
    """The list, as the controller tells it now."""

    def __init__(self, controller: ControllerClient) -> None:
        self._controller = controller

    async def list(self, exchange: Exchange) -> None:
        """GET /v1/models. Raises `ControllerFailed`."""
        listed = await self._controller.list_strategies(_TIMEOUT_S, caller_metadata(exchange.caller))
        await exchange.answer_json(200, {"object": "list", "data": [_entry(model) for model in model_ids(listed)]})

    async def retrieve(self, exchange: Exchange) -> None:
        """GET /v1/models/{model_id}. Raises `NotFound` and `ControllerFailed`."""
        model = exchange.path_params["model_id"]
        listed = await self._controller.list_strategies(_TIMEOUT_S, caller_metadata(exchange.caller))
        if not exists(model, listed):
            raise NotFound(f"There is no model {model[:80]!r}; GET /v1/models lists them.", param="model")
        await exchange.answer_json(200, _entry(model))
