"""Several gateways and controllers of one `pointsman up`: what each is called, and what it has of its own beside the settings file.

Each is a process that reads the same file. What must differ is told by the environment over it, as to containers: ports, the decision
log's file, and to all of them which controllers there are.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pointsman.runtime.keys_file import load_keys
from pointsman.runtime.settings import Settings

CONTROLLER_STEP: Final = 2
"""Between the ports of two controllers, whose own two lie side by side by default."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How many of each, from 1."""

    gateways: int = 1
    controllers: int = 1


@dataclass(frozen=True, slots=True)
class Instance:
    """One process. `changes` are settings over the file's, by their dotted keys."""

    name: str
    changes: Mapping[str, object]
    own_port: int
    """Where it alone answers: a gateway's REST, a controller's gRPC."""
    metrics_port: int


def gateways(settings: Settings, scale: Scale) -> list[Instance]:
    """The gateways. Several share both ports of the settings, and each has one more, on which nobody else answers."""
    own = settings.gateway
    if scale.gateways == 1:
        alone = own.rest_port if own.own_port is None else own.own_port
        return [Instance("gateway", _controllers_told(settings, scale), alone, alone)]
    first = own.rest_port + 1 if own.own_port is None else own.own_port
    return [
        Instance(
            f"gateway-{number + 1}",
            {**_controllers_told(settings, scale), "gateway.shared_ports": True, "gateway.own_port": first + number},
            first + number,
            first + number,
        )
        for number in range(scale.gateways)
    ]


def controllers(settings: Settings, scale: Scale) -> list[Instance]:
    """The controllers. The first has the settings' own ports and decision log, the others their own."""
    own = settings.controller
    if scale.controllers == 1:
        return [Instance("controller", {}, own.grpc_port, own.metrics_port)]
    instances = []
    for number in range(scale.controllers):
        grpc_port, metrics_port = own.grpc_port + CONTROLLER_STEP * number, own.metrics_port + CONTROLLER_STEP * number
        changes = {**_controllers_told(settings, scale), "controller.grpc_port": grpc_port, "controller.metrics_port": metrics_port}
        if number and (path := own.decision_log.path):
            changes["controller.decision_log.path"] = path.with_name(f"{path.stem}-{number + 1}{path.suffix}")
        instances.append(Instance(f"controller-{number + 1}", changes, grpc_port, metrics_port))
    return instances


def controller_addresses(settings: Settings, scale: Scale) -> list[str]:
    """What gateways are told: the settings' addresses, and after them those of further controllers that aren't among them."""
    listed = settings.gateway.controllers
    host = listed_host(listed, settings.controller.grpc_port) or settings.controller.host
    started = [f"{host}:{settings.controller.grpc_port + CONTROLLER_STEP * number}" for number in range(1, scale.controllers)]
    return [*listed, *(address for address in started if address not in listed)]


def listed_host(addresses: Sequence[str], port: int) -> str | None:
    """The host of the first address with the port."""
    return next((host for host, _, its in (address.rpartition(":") for address in addresses) if its == str(port)), None)


def unscalable(settings: Settings, scale: Scale, root: Path) -> Iterator[str]:
    """What in the settings doesn't work with so many, a sentence each; relative files are in `root`, as for the services.

    Raises `SettingsError` for a keys file that can't be used.
    """
    gateway = settings.gateway
    if scale.controllers > 1:
        host = listed_host(gateway.controllers, settings.controller.grpc_port)
        if host and not _is_ip(host):
            yield f"gateway.controllers: with several controllers addresses are IP addresses, such as 127.0.0.1, not {host}"
        if gateway.controller_tls and not gateway.controller_tls.server_name:
            yield "gateway.controller_tls.server_name: several controllers need the one name that their certificates have"
    if scale.gateways > 1 and not shares_limits(settings) and gateway.keys_file:
        limited = [each.name for each in load_keys(root / gateway.keys_file).keys if each.is_limited]
        if limited:
            yield (
                f"gateway.redis_url: {scale.gateways} gateways that share no Redis would allow {', '.join(limited[:3])}"
                f"{' and others' if len(limited) > 3 else ''} each limit of the keys file {scale.gateways} times; name one"
            )


def shares_limits(settings: Settings) -> bool:
    """Whether one Redis counts for all gateways."""
    gateway = settings.gateway
    return any((gateway.redis_url, gateway.redis_url_env, gateway.redis_url_file))


def _controllers_told(settings: Settings, scale: Scale) -> dict[str, object]:
    return {"gateway.controllers": controller_addresses(settings, scale)} if scale.controllers > 1 else {}


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
