"""The settings of backends and of the pairs that they make."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from pointsman.runtime.settings_part import Fraction, Name, Part, Seconds

# YAML reads an unquoted 2024-10-21, as Azure names its versions, as a date.
QueryValue = Annotated[str, BeforeValidator(lambda value: value.isoformat() if type(value) is datetime.date else value)]
HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$", max_length=64)]
Feature = Literal["vision", "tools", "json_schema", "audio", "files"]
RetryStatus = Literal[408, 425, 429, 500, 502, 503, 504, 529]


class Prices(Part):
    """Money per million tokens."""

    prompt_per_million: Annotated[float, Field(ge=0)]
    completion_per_million: Annotated[float, Field(ge=0)]
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = "USD"


class BreakerSettings(Part):
    """When a backend that fails isn't called for a while."""

    failures: Annotated[int, Field(ge=1)] = 10
    """So many failures in a row open the breaker."""
    failure_ratio: Annotated[float, Field(gt=0, le=1)] = 0.5
    """And so does this ratio of failures over `window_s`, of `min_requests` at least."""
    min_requests: Annotated[int, Field(ge=1)] = 20
    window_s: Annotated[float, Field(ge=1, le=3600)] = 30
    open_s: Seconds = 10
    """How long it stays open before one request at a time may try."""
    slow_s: Seconds = 30
    """A request that its caller or its deadline ended after waiting so long for an answer's first byte is a failure too."""


class BackendSettings(Part):
    """An OpenAI-compatible HTTP server."""

    base_url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+$")]
    """What an endpoint's path is appended to: up to and including `/v1`, or an Azure deployment's name."""
    model: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    """What the backend calls the model."""
    key_env: str | None = None
    """The environment variable that holds its API key."""
    key_file: Path | None = None
    """The file that holds its API key."""
    key_header: HeaderName = "authorization"
    """The header that the key goes by: as `Bearer <key>` in authorization, bare in any other (Azure's is `api-key`)."""
    headers: Mapping[str, str] = Field(default_factory=dict)
    """Sent with every request; a secret belongs in key_env or key_file."""
    query: Mapping[str, QueryValue] = Field(default_factory=dict)
    """Appended to every request's URL, such as Azure's `api-version`."""
    connect_timeout_s: Seconds = 5
    first_byte_timeout_s: Seconds = 300
    idle_timeout_s: Seconds = 120
    """The longest pause between two pieces of a stream."""
    max_connections: Annotated[int, Field(ge=1)] = 1000
    prices: Prices | None = None
    retries: Annotated[int, Field(ge=0, le=10)] = 1
    """How often a request is tried again here, where that is safe and nothing of an answer has come."""
    retry_statuses: frozenset[RetryStatus] = frozenset({429, 503})
    """HTTP statuses that are tried again; a connection that couldn't be made or was lost before any answer always is."""
    retry_share: Fraction = 0.2
    """Retries are at most this share of recent requests, so that an outage isn't multiplied."""
    backoff_s: Seconds = 0.25
    """Before the first retry a random wait of up to so long, doubled for each further one."""
    max_backoff_s: Seconds = 2
    max_retry_after_s: Seconds = 5
    """A Retry-After up to so long is waited for where the deadline allows; a longer one is no reason to wait."""
    fallbacks: tuple[Name, ...] = ()
    """Backends to call in this order where this one fails; they count as its tier."""
    breaker: BreakerSettings | None = BreakerSettings()
    """null: this backend is called however it fails."""
    supports: frozenset[Feature] | None = None
    """What requests may need; null is everything."""
    max_context: Annotated[int, Field(ge=1)] | None = None
    """Tokens of prompt and answer together; null is unlimited."""

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if self.key_env and self.key_file:
            raise ValueError("key_env and key_file exclude each other")
        return self

    @model_validator(mode="after")
    def _bare_url(self) -> Self:
        if "?" in self.base_url or "#" in self.base_url:
            raise ValueError("base_url has a path and nothing behind it; parameters belong in query")
        return self


class PairSettings(Part):
    """A strong and a weak backend, by their names under `backends`."""

    strong: Name
    weak: Name
    fallback: Literal["other_tier", "none"] = "other_tier"
    """Where a tier's backends all fail before their first byte: the other tier, or an error."""
