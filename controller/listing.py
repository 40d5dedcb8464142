"""What RouteService.ListStrategies tells of strategies and ensembles: state, calibrations, and recent traffic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from controller.calibrations import calibration_of, live_of
from controller.ensembles import ensembles_of
from controller.scorers import ScorerState
from controller.watch import Watch
from pointsman.calibration.records import Records
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
