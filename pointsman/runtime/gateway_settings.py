"""The gateway's part of the settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from pointsman.runtime.settings_part import Part, Port, Seconds, only_one
from pointsman.runtime.tls_settings import ControllerTlsSettings, TlsSettings


class GatewaySettings(Part):
    """The edge."""

    host: str = "127.0.0.1"
    rest_port: Port = 6060
    grpc_port: Port = 50051
    shared_ports: bool = False
    """Whether other gateways of this machine may bind both ports too; the kernel then deals connections out among them (Linux)."""
    own_port: Port | None = None
    """One more REST port, of this process alone: for its probes and metrics, where others share `rest_port`."""
    tls: TlsSettings | None = None
    """Of all ports; null is plain text."""
    controllers: Annotated[list[str], Field(min_length=1)] = Field(default_factory=lambda: ["127.0.0.1:50052"])
    """Addresses of the controllers, `host:port`; requests go round them in turn."""
    controller_tls: ControllerTlsSettings | None = None
    """How the gateway speaks to them; null is plain text."""
    controller_token_env: str | None = None
    """The environment variable that holds the token by which they know the gateway."""
    controller_token_file: Path | None = None
    """The file that holds it, on its first line; read again when it changes."""
    admin: bool = False
    """Whether AdminService passes at the edge."""
    page: bool = True
    """Whether GET / answers with the page for people."""
    max_body_bytes: Annotated[int, Field(ge=1024, le=1 << 30)] = 16 << 20
    """A longer request body is refused with 413."""
    max_concurrent: Annotated[int, Field(ge=1)] = 2000
    """Requests in progress at once, on each protocol; one more is refused with 429."""
    max_lag_s: Annotated[float, Field(gt=0, le=10)] | None = 0.02
    """While the event loop is further behind, some new requests are refused with 429, and nearly all at three times as much; null: none
    for it."""
    max_lag_above: Annotated[int, Field(ge=0)] = 64
    """While no more than so many are in progress, none is refused for lag."""
    refusal_pause_s: Annotated[float, Field(ge=0, le=1)] = 0.1
    """A REST connection that was refused for load, and sooner than this asks for what is to be refused too, is told so when it is over;
    0: at once."""
    default_timeout_s: Seconds = 600
    """A request's deadline where the caller names none."""
    heartbeat_s: Seconds | None = 15
    """After so long a silence between two events of a REST stream a comment is sent, so that proxies keep the connection; null: never."""
    max_connection_age_s: Seconds = 1800
    """After so long a gRPC connection is left for a new one, so that callers find new replicas; no call is lost by it."""
    drain_s: Annotated[float, Field(ge=0, le=3600)] = 20
    """How long running requests may go on after SIGTERM."""
    keys_file: Path | None = None
    """Who may call, in a file of its own, read again when it changes; null asks nobody for a key."""
    open_metrics: bool = False
    """Whether /metrics answers without a key; else an admin's reads it, since it names every caller."""
    redis_url: Annotated[str, StringConstraints(pattern=r"^rediss?://[^\s]+$")] | None = None
    """One Redis that counts for all gateways; none, and each counts by itself. Without a password, which belongs in the next two."""
    redis_url_env: str | None = None
    """The environment variable that holds the URL with its password."""
    redis_url_file: Path | None = None
    """The file that holds it."""
    redis_timeout_s: Annotated[float, Field(gt=0, le=5)] = 0.1
    """The most that a request waits for Redis, each time it is asked; later is as good as not at all."""
    on_limiter_failure: Literal["allow", "refuse"] = "allow"
    """While Redis doesn't answer: each gateway counts by itself, or requests of limited keys are refused with 503."""

    @model_validator(mode="after")
    def _one_redis(self) -> Self:
        if sum(each is not None for each in (self.redis_url, self.redis_url_env, self.redis_url_file)) > 1:
            raise ValueError("redis_url, redis_url_env and redis_url_file exclude one another")
        if self.redis_url and "@" in self.redis_url:
            raise ValueError("a redis_url with a password belongs in redis_url_env or redis_url_file")
        return self

    @model_validator(mode="after")
    def _one_token(self) -> Self:
        return only_one(self, "controller_token_env", "controller_token_file")
