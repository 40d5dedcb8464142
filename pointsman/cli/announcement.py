"""What `pointsman up` says once all is ready."""

from __future__ import annotations

import json
import shlex

from pointsman.cli.ports import reachable
from pointsman.runtime.settings import Settings


def announcement(settings: Settings, took_s: float) -> str:
    """Addresses, a curl line that works as printed, and what to know before anyone else may reach this machine."""
    gateway = settings.gateway
    rest = f"{'https' if gateway.tls else 'http'}://{_in_url(reachable(gateway.host))}:{gateway.rest_port}"
    lines = [
        "",
        f"Ready after {took_s:.1f} s.",
        f"  REST  {rest}/v1  (OpenAI-compatible; {_which_key(settings)})",
        f"  gRPC  {_in_url(reachable(gateway.host))}:{gateway.grpc_port}  (pointsman.v1.RouteService)",
        "",
        "Try:",
        f"  {_curl(rest, settings)}",
        "",
    ]
    if settings.uses_local_llms:
        lines.append(
            "Both tiers are the same small model, SmolLM2-135M-Instruct, until the settings name real backends "
            "(deploy/settings.example.yaml shows how)."
        )
    scorers = settings.scorers
    where = scorers.host if scorers.haproxy else "all interfaces"
    lines += [
        f"Ray Serve's gRPC has no TLS and no identity; port {scorers.grpc_port} binds {where}, and every replica's own port binds all "
        "interfaces: let nobody but the controller reach them.",
        "Ctrl-C stops everything.",
    ]
    return "\n".join(lines)


def _curl(rest: str, settings: Settings) -> str:
    strategy = "mf" if "mf" in settings.strategies else sorted(settings.strategies)[0]
    body = {
        "model": f"router-{strategy}-0.5",
        "max_tokens": 64,
        "messages": [{"role": "user", "content": "What is the capital of France?"}],
    }
    key = """ -H "authorization: Bearer $POINTSMAN_API_KEY\"""" if settings.gateway.keys_file else ""
    return f"curl {rest}/v1/chat/completions -H 'content-type: application/json'{key} -d {shlex.quote(json.dumps(body))}"


def _which_key(settings: Settings) -> str:
    return f"a key of {settings.gateway.keys_file}" if settings.gateway.keys_file else "any key"


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
