"""The ports of `pointsman up`, and who must find and know whom, checked before anything starts."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import psutil

from pointsman.cli.scale import Scale, controllers, gateways
from pointsman.runtime.settings import Settings

_LAST_PORT: Final = 65_535
_OURS: Final = ("gateway", "controller", "scorers", "scorers.worker", "deploy.local_llm")


@dataclass(frozen=True, slots=True)
class PortUse:
    """One port: the settings key that names it, and the address it is bound on."""

    key: str
    host: str
    port: int
    above: int = 0
    """How far above that of the key it is."""

    @property
    def said(self) -> str:
        """What a person looks for."""
        return f"{self.key} + {self.above}" if self.above else self.key


def ports(settings: Settings, scale: Scale | None = None) -> list[PortUse]:
    """Every port that must be the one in the settings. Not scorers.http_port: Serve takes another one where that is taken."""
    gateway, scorers, local = settings.gateway, settings.scorers, settings.local_llm
    used = [
        PortUse("gateway.rest_port", gateway.host, gateway.rest_port),
        PortUse("gateway.grpc_port", gateway.host, gateway.grpc_port),
        *_of_several(settings, scale or Scale()),
        # The stock proxy's gRPC binds every interface.
        PortUse("scorers.grpc_port", scorers.host if scorers.haproxy else "0.0.0.0", scorers.grpc_port),  # noqa: S104
    ]
    if settings.uses_local_llms:
        used += [
            PortUse("local_llm.strong_port", "127.0.0.1", local.strong_port),
            PortUse("local_llm.weak_port", "127.0.0.1", local.weak_port),
        ]
    return used


def _of_several(settings: Settings, scale: Scale) -> Iterator[PortUse]:
    """What each process has of its own: a gateway's own port, where there are several or it has one, and both ports of a controller."""
    gateway, controller = settings.gateway, settings.controller
    key, first = ("gateway.rest_port", gateway.rest_port) if gateway.own_port is None else ("gateway.own_port", gateway.own_port)
    for each in gateways(settings, scale) if scale.gateways > 1 else ():
        yield PortUse(key, gateway.host, each.own_port, each.own_port - first)
    if scale.gateways == 1 and gateway.own_port is not None:
        yield PortUse(key, gateway.host, first)
    for each in controllers(settings, scale):
        yield PortUse("controller.grpc_port", controller.host, each.own_port, each.own_port - controller.grpc_port)
        yield PortUse("controller.metrics_port", controller.host, each.metrics_port, each.metrics_port - controller.metrics_port)


def contradictions(settings: Settings, scale: Scale | None = None) -> list[str]:
    """What in the settings can't work when all services run here, a sentence each."""
    used = ports(settings, scale)
    said = [f"{use.key}: pointsman up needs a fixed port, not 0" for use in used if use.port == 0]
    first: dict[int, str] = {}
    for use in used:
        if use.port > _LAST_PORT:
            said.append(f"{use.said}: there is no port {use.port}")
        elif use.port and (other := first.setdefault(use.port, use.said)) != use.said:
            said.append(f"{use.said}: port {use.port} is also {other}")
    if not any(_port_of(address) == settings.controller.grpc_port for address in settings.gateway.controllers):
        said.append(f"gateway.controllers: none has the port of the controller that would start, {settings.controller.grpc_port}")
    if _port_of(settings.controller.scorers) != settings.scorers.grpc_port:
        said.append(f"controller.scorers: {settings.controller.scorers} hasn't the port of scorers.grpc_port, {settings.scorers.grpc_port}")
    return [*said, *_strangers(settings)]


def _strangers(settings: Settings) -> Iterator[str]:
    """A gateway that the controller wouldn't let in."""
    gateway, controller = settings.gateway, settings.controller
    calls, listens = gateway.controller_tls, controller.tls
    if (calls is None) != (listens is None):
        yield "gateway.controller_tls: it and controller.tls are both set or neither"
    elif calls and listens and listens.client_certificates == "required" and not calls.cert_file:
        yield "gateway.controller_tls.cert_file: controller.tls requires the gateway to have a certificate"
    if (controller.token_env or controller.token_file) and not (gateway.controller_token_env or gateway.controller_token_file):
        yield "gateway.controller_token_file: the controller wants a token, and neither this key nor controller_token_env names one"


def taken(used: Sequence[PortUse]) -> list[str]:
    """Which of the ports can't be bound, a sentence each: who holds it and which setting to change."""
    said = []
    for use in used:
        family = socket.AF_INET6 if ":" in use.host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((use.host, use.port))
            except OSError as error:
                said.append(f"{use.host}:{use.port} can't be bound: {error.strerror}{_holder(use.port)}; change {use.key} in the settings")
    return said


def _port_of(address: str) -> int | None:
    port = address.rpartition(":")[2]
    return int(port) if port.isdecimal() else None


def holder(port: int) -> psutil.Process | None:
    """The process that listens on a port; None where there is none or it is another user's. Raises `psutil.Error`."""
    for held in psutil.net_connections(kind="tcp"):
        if held.status == psutil.CONN_LISTEN and held.laddr and held.laddr.port == port and held.pid:
            return psutil.Process(held.pid)
    return None


def is_ours(use: PortUse) -> bool:
    """By the command line of the process that listens; haproxy and Ray's proxies listen for the scorers."""
    try:
        process = holder(use.port)
        command = process.cmdline() if process else []
    except psutil.Error:
        return False
    modules = [after for before, after in pairwise(command) if before == "-m"]
    for_scorers = use.key == "scorers.grpc_port" and any("haproxy" in word or word.startswith("ray::") for word in command[:2])
    return for_scorers or any(module in _OURS for module in modules)


def _holder(port: int) -> str:
    try:
        process = holder(port)
        return f" (held by {process.name()}, process {process.pid})" if process else ""
    except psutil.Error:
        return ""  # another user's process isn't ours to name
