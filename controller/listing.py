"""What RouteService.ListStrategies tells: strategies and ensembles with their state, calibrations and recent traffic; pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from controller.calibrations import calibration_of, live_of
from controller.ensembles import ensembles_of
from controller.pins import Pins
from controller.scorers import ScorerState
from controller.watch import Watch
from pointsman.calibration.records import Records
from pointsman.runtime.backend_settings import BackendSettings
from pointsman.runtime.settings import Settings
from pointsman.v1 import route_service_pb2


def listed_strategies(states: Mapping[str, ScorerState], records: Records, watch: Watch) -> Iterator[route_service_pb2.Strategy]:
    """Every configured one, with the records of the checkpoint that serves."""
    for name, state in states.items():
        listed = route_service_pb2.Strategy(
            name=name,
            ready=state.ready,
            detail=state.detail,
            checkpoint=state.checkpoint,
            embedder=state.embedder,
            version=state.version,
        )
        if state.checkpoint:
            of = (name, state.checkpoint, state.embedder)
            listed.calibrations.extend(map(calibration_of, records.of(*of)))
            listed.calibrations.extend(map(calibration_of, records.certificates_of(*of)))
            if live := watch.known(name, state.checkpoint):
                listed.live.CopyFrom(live_of(live))
        yield listed


def listed_ensembles(states: Mapping[str, ScorerState], records: Records, watch: Watch) -> Iterator[route_service_pb2.Ensemble]:
    """Those whose record counts now."""
    for ensemble in ensembles_of(records, states):
        listed = route_service_pb2.Ensemble(name=ensemble.name, calibrations=map(calibration_of, ensemble.records))
        if live := watch.known(ensemble.name, ensemble.checkpoint):
            listed.live.CopyFrom(live_of(live))
        yield listed


def listed_pairs(settings: Settings, pins: Pins) -> Iterator[route_service_pb2.Pair]:
    """Every configured one; who may see which is the caller's to say."""
    for name, pair in settings.pairs.items():
        strong, weak = settings.backends[pair.strong], settings.backends[pair.weak]
        yield route_service_pb2.Pair(
            name=name,
            strong=strong.model,
            weak=weak.model,
            pinned=pins.tier(name),
            strong_prices=_prices(strong),
            weak_prices=_prices(weak),
        )


def _prices(backend: BackendSettings) -> route_service_pb2.Prices | None:
    return route_service_pb2.Prices(**backend.prices.model_dump()) if backend.prices else None
