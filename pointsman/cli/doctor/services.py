"""What of Pointsman runs, and whether it is well: asked as its callers would."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import grpc

from pointsman import __version__
from pointsman.cli.doctor.finding import Finding, ok, problem, skipped, warning
from pointsman.cli.ports import is_ours, ports, taken
from pointsman.runtime.addresses import is_local_target, reachable
from pointsman.runtime.client_tls import ControllerAccess
from pointsman.runtime.probes import gateway_ready, local_llm_ready
from pointsman.runtime.settings import Settings
from pointsman.runtime.settings_file import SettingsError
from pointsman.scorer.v1 import scorer_service_pb2
from pointsman.scorer.v1.scorer_service_pb2_grpc import ScorerServiceStub

_TIMEOUT_S: Final = 3.0
_START: Final = "pointsman up starts everything on this machine"
_SERVING: Final = b"\x08\x01"
_NO_ANSWER: Final = "no answer"


def port_findings(settings: Settings) -> list[Finding]:
    """Each port of `pointsman up`: free, Pointsman's own, or another's."""
    found = []
    free = []
    for use in ports(settings):
        if use.port == 0:
            found.append(warning("ports", f"{use.key} is 0: a port that changes with each start", "pointsman up needs a fixed one"))
        elif not (held := taken([use])):
            free.append(f"{use.port} ({use.key})")
        elif is_ours(use):
            found.append(ok("ports", f"{use.port} ({use.key}) is held by Pointsman"))
        else:
            found.append(problem("ports", held[0], f"end what holds {use.port}, or change {use.key}"))
    return [*([ok("ports", f"free: {', '.join(free)}")] if free else []), *found]


async def gateway(settings: Settings) -> list[Finding]:
    """By its own readiness, which is that of all behind it."""
    own = settings.gateway
    missing = await gateway_ready(settings)()
    if missing is None:
        return [ok("gateway", f"{reachable(own.host)}:{own.rest_port} is ready")]
    if missing.startswith(_NO_ANSWER):
        return [skipped("gateway", f"nothing answers on {reachable(own.host)}:{own.rest_port}", _START)]
    return [
        problem("gateway", f"{reachable(own.host)}:{own.rest_port} isn't ready: {missing}", "see what controllers and strategies say below")
    ]


async def controllers(settings: Settings) -> list[Finding]:
    """Each of gateway.controllers, by grpc.health.v1, over TLS where the gateway speaks it."""
    try:
        access = ControllerAccess(settings.gateway)
    except SettingsError as error:
        return [problem("controllers", str(error), "correct the key or the file")]
    return list(await asyncio.gather(*(_controller(address, access) for address in settings.gateway.controllers)))


async def _controller(address: str, access: ControllerAccess) -> Finding:
    options = [("grpc.enable_http_proxy", 0)]
    if access.tls:
        pem = access.tls.now()
        channel = grpc.aio.secure_channel(address, access.tls.credentials(pem), options=[*options, *access.tls.options()])
    else:
        channel = grpc.aio.insecure_channel(address, options=options)
    async with channel:
        # By its bytes: the package with its messages isn't one of the command's own.
        check = channel.unary_unary("/grpc.health.v1.Health/Check", request_serializer=bytes, response_deserializer=bytes)
        try:
            answer = await check(b"", timeout=_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            return _no_controller(address, error)
    if answer != _SERVING:
        return problem("controllers", f"{address} isn't serving yet, or is stopping", "see its log: it waits for scorers, or drains")
    return ok("controllers", f"{address} is serving")


def _no_controller(address: str, error: grpc.aio.AioRpcError) -> Finding:
    said = f"{address} can't be asked: {error.code().name.lower()}"
    if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
        if is_local_target(address):
            return skipped("controllers", f"nothing answers on {address}", _START)
        return problem("controllers", said, "start it, or correct gateway.controllers; with TLS on one side alone it looks the same")
    return problem("controllers", said, "is it a controller? correct gateway.controllers")


async def strategies(settings: Settings) -> list[Finding]:
    """Each strategy's scorer, as controllers ask it: does it describe itself, and is it of this version."""
    address = settings.controller.scorers
    names: Sequence[str] = sorted(settings.strategies)
    async with grpc.aio.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        asked = await asyncio.gather(*(_describe(channel, name) for name in names))
    if all(isinstance(each, grpc.aio.AioRpcError) and each.code() is grpc.StatusCode.UNAVAILABLE for each in asked):
        if is_local_target(address):
            return [skipped("strategies", f"nothing answers on {address}", _START)]
        return [problem("strategies", f"nothing answers on {address}", "start the scorers, or correct controller.scorers")]
    return [_strategy(name, each) for name, each in zip(names, asked, strict=True)]


async def _describe(channel: grpc.aio.Channel, name: str) -> scorer_service_pb2.DescribeResponse | grpc.aio.AioRpcError:
    try:
        stub = ScorerServiceStub(channel)
        return await stub.Describe(scorer_service_pb2.DescribeRequest(), timeout=_TIMEOUT_S, metadata=(("application", name),))
    except grpc.aio.AioRpcError as error:
        return error


def _strategy(name: str, answer: scorer_service_pb2.DescribeResponse | grpc.aio.AioRpcError) -> Finding:
    if isinstance(answer, grpc.aio.AioRpcError):
        said = f"{name} isn't ready: {answer.code().name.lower()}"
        return problem("strategies", said, f"it may be starting; else see the scorers' log, or take {name} out of strategies")
    if (theirs := answer.version.partition("+")[0]) and theirs != __version__:
        return warning("strategies", f"{name} is of version {theirs}, and this is {__version__}", "restart the scorers")
    return ok("strategies", f"{name} is ready, {'without a checkpoint' if answer.checkpoint == 'none' else answer.checkpoint}")


async def local_llms(settings: Settings) -> list[Finding]:
    """The two small ones, where no backend is named."""
    found = []
    for tier, port in (("strong", settings.local_llm.strong_port), ("weak", settings.local_llm.weak_port)):
        missing = await local_llm_ready(port)()
        if missing is None:
            found.append(ok("backends", f"the local LLM {tier} is ready on port {port}"))
        elif missing.startswith(_NO_ANSWER):
            found.append(skipped("backends", f"the local LLM {tier} doesn't run", _START))
        else:
            found.append(problem("backends", f"the local LLM {tier} isn't ready: {missing}", "it may be starting; else see its log"))
    return found
