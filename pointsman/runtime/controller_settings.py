"""The controller's part of the settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pointsman.runtime.settings_part import Fraction, Part, Port, Seconds, StrategyName, only_one
from pointsman.runtime.tls_settings import TlsSettings


class ShadowSettings(Part):
    """A strategy that scores a sample of what others decide, to be compared with them."""

    strategy: StrategyName
    share: Fraction = 0.05
    """Of the decided requests."""


class DecisionLogSettings(Part):
    """Receipts of all requests in a file, a line each. They hold no prompt, completion or key."""

    path: Path | None = None
    """The file; null for none. Its folder must exist. Two controllers need two; the second that names the same file doesn't start."""
    max_bytes: Annotated[int, Field(ge=4096)] = 64 << 20
    """A file that would grow longer is renamed to `<path>.1`, and a new one begun."""
    keep: Annotated[int, Field(ge=1, le=1000)] = 5
    """How many renamed files are kept."""


class ControllerSettings(Part):
    """The decision."""

    host: str = "127.0.0.1"
    grpc_port: Port = 50052
    metrics_port: Port = 50053
    tls: TlsSettings | None = None
    """Of both ports; null is plain text."""
    token_env: str | None = None
    """The environment variable that holds the token that gateways must send."""
    token_file: Path | None = None
    """The file that holds it; while tokens change it may hold two, a line each. Read again when it changes."""
    scorers: str = "127.0.0.1:9000"
    """Address of Ray Serve's gRPC, `host:port`."""
    scorer_timeout_s: Seconds = 2
    """The most that scoring may take of a request's deadline."""
    scorer_deadline_share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """The largest share of a request's deadline that scoring may take."""
    max_batch: Annotated[int, Field(ge=1, le=4096)] = 16
    """Prompts in one call to a scorer: on a CPU so many long ones still fit into `scorer_timeout_s`."""
    small_batch: Annotated[int, Field(ge=1, le=4096)] = 4
    """A call takes its share of the prompts that wait, one of as many as calls may be in flight, but so many where they are there: few
    enough that a replica doesn't work for long on what another could have begun, enough that most of the throughput is kept. With
    `max_batch` a call takes all that waits."""
    calls_per_replica: Annotated[int, Field(ge=1, le=64)] = 1
    """Calls to a strategy's scorer in flight for each of its replicas: while they run, prompts gather for the next."""
    max_waiting: Annotated[int, Field(ge=1)] = 256
    """Prompts that wait for a scorer; one more is overload. What stands behind more than these would hardly be scored in time."""
    on_overload: Literal["refuse", "strong", "weak"] = "refuse"
    """Where a scorer's queue is full: refuse with 429, or send to a tier unscored."""
    probe_interval_s: Seconds = 1
    """How often each strategy's readiness is asked."""
    scored_window: Literal["last_user_message", "conversation"] = "last_user_message"
    """What is scored: an agent's tool loop keeps its model with last_user_message."""
    max_scored_chars: Annotated[int, Field(ge=256, le=1 << 20)] = 16_000
    """Of a longer text the head (three quarters) and the tail go to the scorer: no model's window is longer, and a full batch
    stays below gRPC's usual 4 MiB."""
    decision_cache: Annotated[int, Field(ge=0, le=10_000_000)] = 10_000
    """Win rates remembered by hashes of their texts; an identical text isn't scored again by the same checkpoint. 0: every one is."""
    shadow: ShadowSettings | None = None
    """Off the requests' path; its metrics are `pointsman_shadow_*`."""
    on_uncertified: Literal["refuse", "strong"] = "refuse"
    """Where no valid certificate bounds a request's max_quality_loss: refuse with 400, or send to strong."""
    records_interval_s: Seconds = 2
    """How often `records_dir` is looked at for new records."""
    recent_win_rates: Annotated[int, Field(ge=100, le=1_000_000)] = 10_000
    """Win rates remembered of each checkpoint, without their prompts, to calibrate on."""
    drift_window: Annotated[int, Field(ge=50, le=100_000)] = 500
    """Of so many win rates the spread is compared with that of a record's sample; so many decisions make a live strong share."""
    drift_limit: Annotated[float, Field(gt=0)] = 0.2
    """A population stability index above it is drift: certified thresholds then send to strong."""
    fallback_to_strong_cap: Fraction = 0.2
    """The share of recent requests that may fall back from a weak backend to a strong one; one more is refused with 503."""
    scorer_failure_to_strong_cap: Fraction = 0.2
    """The share of the latest hour's requests that may go to a strong backend because scoring couldn't answer; a hundred may in any case,
    except at 0."""
    on_scorer_failure_cap: Literal["refuse", "weak"] = "refuse"
    """One more than that: refuse with 503, or send to weak unscored."""
    allow_backend_names: bool = False
    """Whether `model` may name a backend instead of a router."""
    max_concurrent: Annotated[int, Field(ge=1)] = 4000
    max_lag_s: Annotated[float, Field(gt=0, le=10)] | None = 0.02
    """While the event loop is further behind, some new calls are refused with 429, and nearly all at three times as much; so is a call that
    has waited for longer before it is taken up. Null: none for it."""
    max_lag_above: Annotated[int, Field(ge=0)] = 64
    """While no more than so many are in progress, none is refused for lag."""
    default_timeout_s: Seconds = 600
    max_body_bytes: Annotated[int, Field(ge=1024, le=1 << 30)] = 16 << 20
    max_response_bytes: Annotated[int, Field(ge=1024, le=1 << 30)] = 64 << 20
    """A longer answer that isn't a stream is a backend failure."""
    router_cost_per_hour: Annotated[float, Field(ge=0)] = 0
    """What running the router costs, in the prices' currency, by controller; `pointsman stats` then tells savings net of it too."""
    decision_log: DecisionLogSettings = DecisionLogSettings()
    max_connection_age_s: Seconds = 1800
    """After so long a gateway's connection is left for a new one, so that load finds new replicas; no call is lost by it."""
    drain_s: Annotated[float, Field(ge=0, le=3600)] = 20

    @model_validator(mode="after")
    def _one_token(self) -> Self:
        return only_one(self, "token_env", "token_file")
