"""What `pointsman up` says once all is ready."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator

from pointsman.cli.scale import Scale, controllers, gateways, shares_limits
from pointsman.runtime.addresses import reachable
from pointsman.runtime.settings import Settings, with_local_llms


def announcement(settings: Settings, took_s: float, scale: Scale | None = None) -> str:
    """Addresses, a curl line that works as printed, and what to know before anyone else may reach this machine."""
    rest, grpc = addresses(settings).values()
    lines = [
        "",
        f"Ready after {took_s:.1f} s.",
        f"  REST    {rest}  (OpenAI-compatible; {_which_key(settings)})",
        f"  gRPC    {grpc}  (pointsman.v1.RouteService)",
        *_processes(settings, scale or Scale()),
        *([f"  page    {rest.removesuffix('/v1')}  (to try it on)"] if settings.gateway.page else []),
        *_tiers(settings),
        "",
        "Try:",
        f"  {_curl(rest, settings)}",
        "",
    ]
    if settings.uses_local_llms:
        lines.append(
            "Both tiers are the same small model, SmolLM2-135M-Instruct, until the settings name real backends (docs/start.md shows how)."
        )
    scorers = settings.scorers
    where = scorers.host if scorers.haproxy else "all interfaces"
    lines += [
        f"Ray Serve's gRPC has no TLS and no identity; port {scorers.grpc_port} binds {where}, and every replica's own port binds all "
        "interfaces: let nobody but the controller reach them.",
        "Ctrl-C stops everything.",
    ]
    return "\n".join(lines)


def addresses(settings: Settings) -> dict[str, str]:
    """Where it is reached: `rest`, the base URL up to /v1, and `grpc`, host:port."""
    gateway = settings.gateway
    host = _in_url(reachable(gateway.host))
    return {"rest": f"{'https' if gateway.tls else 'http'}://{host}:{gateway.rest_port}/v1", "grpc": f"{host}:{gateway.grpc_port}"}


def _tiers(settings: Settings) -> Iterator[str]:
    """Who answers on each tier of the default pair, so that it is seen whether the settings meant were taken."""
    served = with_local_llms(settings)
    if pair := served.pairs.get("default"):
        for tier, name in (("strong", pair.strong), ("weak", pair.weak)):
            backend = served.backends[name]
            yield f"  {tier:<6}  {backend.model} at {backend.base_url}"


def _processes(settings: Settings, scale: Scale) -> Iterator[str]:
    """Where each of several is reached alone."""
    if scale.gateways > 1:
        yield f"  These two ports are shared by {scale.gateways} gateways; each has its own REST port for /readyz and /metrics:"
        host = _in_url(reachable(settings.gateway.host))
        yield from (f"    {each.name}  {host}:{each.own_port}" for each in gateways(settings, scale))
        if settings.gateway.keys_file and not shares_limits(settings):
            yield "    Limits that the keys file may get are counted by each gateway, whole, until gateway.redis_url names a Redis."
    if scale.controllers > 1:
        yield f"  {scale.controllers} controllers, each with its own gRPC and metrics port:"
        host, scheme = _in_url(reachable(settings.controller.host)), "https" if settings.controller.tls else "http"
        for each in controllers(settings, scale):
            yield f"    {each.name}  {host}:{each.own_port}, {scheme}://{host}:{each.metrics_port}/metrics"


def _curl(rest: str, settings: Settings) -> str:
    strategy = "mf" if "mf" in settings.strategies else sorted(settings.strategies)[0]
    body = {
        "model": f"router-{strategy}-0.5",
        "max_tokens": 64,
        "messages": [{"role": "user", "content": "What is the capital of France?"}],
    }
    key = """ -H "authorization: Bearer $POINTSMAN_API_KEY\"""" if settings.gateway.keys_file else ""
    return f"curl -si {rest}/chat/completions -H 'content-type: application/json'{key} -d {shlex.quote(json.dumps(body))}"


def _which_key(settings: Settings) -> str:
    return f"a key of {settings.gateway.keys_file}" if settings.gateway.keys_file else "any key"


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
