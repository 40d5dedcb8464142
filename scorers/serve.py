"""Ray Serve, which this module speaks. One application per strategy, named as the strategy is.

Ray reads its variables when it's imported, so that the imports are inside the functions, after `set_environment`.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pointsman.runtime.errors import Unavailable
from pointsman.runtime.scorer_deployment import LOGGING, SERVICER, deployment_options
from pointsman.runtime.settings import Settings, StrategySettings
from pointsman.runtime.tracing import TracingSettings
from scorers.cluster import cpus, node_address
from scorers.instance import Instance, claimed_instance, end_leftovers, ray_environment
from scorers.quiet import serving_alone
from scorers.reload import Change, Deployed
from scorers.replica import REFUSED, ScorerReplica

if TYPE_CHECKING:
    from ray.serve import Application, RunTarget

_CONSTRUCTOR_TRIES: Final = 2


@dataclass(frozen=True, slots=True)
class StrategyState:
    """How an application stands: ready, still starting, or failed for a reason."""

    ready: bool
    failure: str = ""


class Cluster:
    """A private Ray with Serve on it."""

    def __init__(self, instance: Instance, settings: Settings) -> None:
        """Whose strategies are deployed already."""
        strategies = settings.strategies
        self.instance = instance
        self._tracing = settings.tracing
        self._deployed = {name: Deployed.of(settings) for name, settings in strategies.items()}

    @property
    def address(self) -> str:
        """Of Serve's gRPC on this machine; it binds all interfaces, without TLS or identity."""
        return f"127.0.0.1:{self.instance.grpc_port}"

    def states(self) -> Mapping[str, StrategyState]:
        """By strategy. Raises whatever Ray raises when its controller can't answer."""
        from ray.serve.context import _get_global_client

        # `serve.status` has the controller write down all that it knows, every option and default, and this process check each of them.
        return {each.name: _state(each) for each in _get_global_client().list_serve_statuses()}

    def deploy(self, strategies: Mapping[str, StrategySettings]) -> Change:
        """Makes what is deployed what is wanted, touching nothing that stays as it is; returns once it is under way.

        A changed replica's successor is up before it goes, and where no successor comes up it stays. Raises whatever Ray raises.
        """
        from ray import serve

        wanted = {name: Deployed.of(settings) for name, settings in strategies.items()}
        change = Change.between(self._deployed, wanted)
        if change.deployed:
            serve.run_many(
                [_target(name, wanted[name], self._tracing) for name in change.deployed],
                wait_for_ingress_deployment_creation=False,
                wait_for_applications_running=False,
            )
        for name in change.stopped:
            serve.delete(name, _blocking=False)
        self._deployed = wanted
        return change

    def dead(self) -> str:
        """Which of Ray's own processes has died, if any: nothing brings those back but a new start."""
        import ray

        node = ray._private.worker._global_node
        return ", ".join(str(kind) for kind, _ in node.dead_processes() if kind in ("gcs_server", "raylet")) if node else "ray"


@contextmanager
def serve_all(settings: Settings) -> Iterator[Cluster]:
    """Starts Ray, Serve and every strategy's application, and ends all their processes with the context.

    Returns as soon as the applications are under way; `Cluster.states` says which are ready. Raises `Unavailable` where the
    port is taken.
    """
    with claimed_instance(settings.scorers) as instance:
        set_environment(ray_environment(instance, settings.scorers))
        try:
            try:
                _start(settings, instance)
            except Exception as error:
                raise Unavailable(f"Ray Serve can't start: {_reason(error).rstrip('.')}; its logs: {instance.folder / 'ray'}") from error
            yield Cluster(instance, settings)
        finally:
            _stop(instance)


def set_environment(variables: Mapping[str, str]) -> None:
    """Before Ray is imported or started: here, and in every process that this one starts."""
    # Variables are the only way to set these, and the only one that reaches the processes Ray starts.
    for name in ("RAY_ADDRESS", "RAY_NAMESPACE", "RAY_AUTH_TOKEN_PATH", "RAY_RUNTIME_ENV_HOOK"):
        os.environ.pop(name, None)
    os.environ.update(variables)


def _start(settings: Settings, instance: Instance) -> None:
    import ray
    from ray import serve
    from ray.serve.config import HTTPOptions, gRPCOptions

    with serving_alone():
        ray.init(
            address="local",
            namespace="pointsman",
            # A cluster's head has no replica: what takes it down would take them with it.
            num_cpus=0 if settings.scorers.cluster else cpus(settings),
            object_store_memory=settings.scorers.object_store_bytes,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
            _node_ip_address=node_address(settings.scorers.cluster),
            _temp_dir=str(instance.folder / "ray"),
        )
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    serve.start(
        http_options=HTTPOptions(host=settings.scorers.host, port=instance.http_port),
        # Without a timeout of Serve's, for which it makes a task of each call: each has its caller's deadline.
        grpc_options=gRPCOptions(port=instance.grpc_port, grpc_servicer_functions=[SERVICER]),
        logging_config=LOGGING,
    )
    serve.run_many(
        [_target(name, Deployed.of(strategy), settings.tracing) for name, strategy in settings.strategies.items()],
        wait_for_ingress_deployment_creation=False,
        wait_for_applications_running=False,
    )


def _target(name: str, deployed: Deployed, tracing: TracingSettings) -> RunTarget:
    from ray import serve

    return serve.RunTarget(_application(name, deployed, tracing), name=name, route_prefix=f"/{name}")


def build(args: dict[str, Any]) -> Application:
    """One strategy's application, where Serve is told by a file instead (`serve deploy`, a RayService): `import_path` names this.

    `args` are `pointsman.runtime.scorer_deployment.application_args`. How it scales, and its `user_config`, stand in the file.
    Raises pydantic's `ValidationError` for a value that no strategy takes, and `KeyError` without a strategy.
    """
    held = dict(args)
    strategy, tracing = held.pop("strategy"), TracingSettings.model_validate(held.pop("tracing", {}))
    return _application(strategy, Deployed.of(StrategySettings.model_validate(held)), tracing)


def _application(name: str, deployed: Deployed, tracing: TracingSettings) -> Application:
    from ray import serve

    deployment = serve.deployment(
        max_constructor_retry_count=_CONSTRUCTOR_TRIES,
        # An application doesn't take over what `serve.start` says.
        logging_config=LOGGING,
        **deployment_options(deployed.settings),
    )(ScorerReplica)
    # Replicas of another version are replaced. Serve would draw a version at every deployment, and replace them all.
    deployment._version = deployed.version
    application: Application = deployment.bind(name, tracing.model_dump(mode="json"))
    return application


def _state(overview: Any) -> StrategyState:
    """Of Serve's `StatusOverview`."""
    application = overview.app_status
    if application.status == "RUNNING":
        return StrategyState(ready=True)
    if application.status in ("DEPLOY_FAILED", "UNHEALTHY"):
        texts = [application.message, *(d.message for d in overview.deployment_statuses)]
        return StrategyState(ready=False, failure=_sentence("\n".join(texts)))
    return StrategyState(ready=False)


def _sentence(message: str) -> str:
    """Our own words out of Serve's message where they are in it (it quotes a traceback), else the first line."""
    _, ours, rest = message.partition(REFUSED)
    return (rest if ours else message.strip()).split("\n", 1)[0].strip() or "Ray Serve gives no reason."


def _reason(error: Exception) -> str:
    """The last line that says something: Ray's exceptions begin with a remote traceback."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip() if lines else type(error).__name__


def _stop(instance: Instance) -> None:
    import ray
    from ray import serve

    # From here on only the clean-up runs, and an interrupted one would leave processes behind.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    try:
        node = ray._private.worker._global_node
        if node and not node.dead_processes():  # Ray would wait for its dead parts
            with suppress(Exception):  # whatever can't end itself is ended below
                serve.shutdown()
            with suppress(Exception):
                ray.shutdown()
    finally:
        end_leftovers(instance)
