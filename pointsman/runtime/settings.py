"""The one settings schema. Each service reads its own part of the one YAML file; `settings_file.py` loads it.

Everything has a default that is safe, so an empty file runs: two local LLMs, no key, loopback only.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from pointsman.runtime.backend_settings import BackendSettings, PairSettings
from pointsman.runtime.settings_part import Fraction, Name, OnFailure, Part, Port, Seconds, StrategyName, only_one
from pointsman.runtime.tls_settings import ControllerTlsSettings, TlsSettings


class LogSettings(Part):
    """How a process logs. Prompts, completions and keys never reach a log."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"
    """auto: console on a terminal, JSON elsewhere."""


class GatewaySettings(Part):
    """The edge."""

    host: str = "127.0.0.1"
    rest_port: Port = 6060
    grpc_port: Port = 50051
    tls: TlsSettings | None = None
    """Of both ports; null is plain text."""
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
    max_body_bytes: Annotated[int, Field(ge=1024, le=1 << 30)] = 16 << 20
    """A longer request body is refused with 413."""
    max_concurrent: Annotated[int, Field(ge=1)] = 2000
    """Requests in progress at once, on each protocol; one more is refused with 429."""
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


class ShadowSettings(Part):
    """A strategy that scores a sample of what others decide, to be compared with them."""

    strategy: StrategyName
    share: Fraction = 0.05
    """Of the decided requests."""


class DecisionLogSettings(Part):
    """Receipts of all requests in a file, a line each. They hold no prompt, completion or key."""

    path: Path | None = None
    """The file; null for none. Its folder must exist. Two controllers need two."""
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
    calls_per_replica: Annotated[int, Field(ge=1, le=64)] = 1
    """Calls to a strategy's scorer in flight for each of its replicas: while they run, prompts gather for the next."""
    max_waiting: Annotated[int, Field(ge=1)] = 1024
    """Prompts that wait for a scorer; one more is overload."""
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


class ScorersSettings(Part):
    """Ray Serve, which hosts every strategy."""

    host: str = "127.0.0.1"
    """Where Serve's gRPC and HTTP listen; the stock proxy's gRPC listens on every interface whatever this says."""
    grpc_port: Port = 9000
    http_port: Port = 8000
    """Serve's own HTTP proxy; nothing of ours uses it, but Serve starts it, on a free port where this one is taken."""
    haproxy: bool = True
    """Serve behind HAProxy with its throughput flags; false is the stock Python proxy (4 times slower per call)."""
    num_cpus: Annotated[int, Field(ge=1)] | None = None
    """CPUs that Ray may give to replicas; null is enough for all that are named, whatever the machine has."""
    object_store_bytes: Annotated[int, Field(ge=80 << 20)] = 80 << 20


class StrategySettings(Part):
    """One strategy: its router's options, its scorer's scale and what happens when it can't answer."""

    checkpoint: str | None = None
    """A checkpoint directory, or a repository of the hub as `owner/name@revision`; null is the one that ships."""
    options: Mapping[str, Any] = Field(default_factory=dict)
    """What the strategy's router takes beside the checkpoint, such as random's `seed`."""
    on_failure: OnFailure = "strong"
    """The tier when scoring is late, fails or isn't ready; `error` refuses the request."""
    max_batch: Annotated[int, Field(ge=1, le=4096)] = 16
    """Prompts that the model takes at once."""
    max_queued: Annotated[int, Field(ge=1)] = 256
    """Prompts waiting in one replica; one more is RESOURCE_EXHAUSTED."""
    min_replicas: Annotated[int, Field(ge=0)] = 1
    max_replicas: Annotated[int, Field(ge=1)] = 1
    num_cpus: Annotated[float, Field(ge=0)] = 0.5
    num_gpus: Annotated[float, Field(ge=0)] = 0
    threads: Annotated[int, Field(ge=1)] = 1
    """Threads of one replica's model on the CPU."""

    @model_validator(mode="after")
    def _replicas_in_order(self) -> Self:
        if self.max_replicas < max(1, self.min_replicas):
            raise ValueError(f"max_replicas ({self.max_replicas}) is below min_replicas ({self.min_replicas})")
        return self


class PolicySettings(Part):
    """A named routing spec, so that thresholds change without redeploying callers."""

    strategies: Annotated[list[StrategyName], Field(min_length=1, max_length=5)]
    pair: Name = "default"
    threshold: Fraction | None = None
    strong_share: Fraction | None = None
    max_quality_loss: Fraction | None = None

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        if sum(t is not None for t in (self.threshold, self.strong_share, self.max_quality_loss)) != 1:
            raise ValueError("exactly one of threshold, strong_share and max_quality_loss is needed")
        if len(set(self.strategies)) > 1 and self.max_quality_loss is not None:
            raise ValueError("several strategies take a threshold or a strong_share: nothing is certified for their mean rank")
        return self


class LocalLlmSettings(Part):
    """The small LLMs that `pointsman up` starts where no backend is configured."""

    strong_port: Port = 6071
    weak_port: Port = 6072
    context_tokens: Annotated[int, Field(ge=256)] = 4096
    max_tokens: Annotated[int, Field(ge=1)] = 512
    """The longest answer where a request doesn't name its own `max_tokens`."""
    parallel: Annotated[int, Field(ge=1)] = 2
    """Requests answered at once; the context is shared among them."""


class Settings(Part):
    """The whole file."""

    log: LogSettings = LogSettings()
    gateway: GatewaySettings = GatewaySettings()
    controller: ControllerSettings = ControllerSettings()
    scorers: ScorersSettings = ScorersSettings()
    strategies: Annotated[Mapping[StrategyName, StrategySettings], Field(min_length=1)] = Field(
        default_factory=lambda: {name: StrategySettings() for name in ("mf", "sw_ranking", "bert", "causal_llm", "random")}
    )
    backends: Mapping[Name, BackendSettings] = Field(default_factory=dict)
    """Empty: `pointsman up` starts two local LLMs, `strong` and `weak`."""
    pairs: Mapping[Name, PairSettings] = Field(default_factory=lambda: {"default": PairSettings(strong="strong", weak="weak")})
    policies: Mapping[Name, PolicySettings] = Field(default_factory=dict)
    local_llm: LocalLlmSettings = LocalLlmSettings()
    records_dir: Path = Path("records")
    """Where calibration records and certificates are."""

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        if self.backends:
            for pair_name, pair in self.pairs.items():
                for tier, backend in (("strong", pair.strong), ("weak", pair.weak)):
                    _need(f"pairs.{pair_name}.{tier}", backend, self.backends, "backend")
        if shadow := self.controller.shadow:
            _need("controller.shadow.strategy", shadow.strategy, self.strategies, "strategy")
        for name, each in self.backends.items():
            for other in each.fallbacks:
                _need(f"backends.{name}.fallbacks", other, self.backends, "backend")
        for policy_name, policy in self.policies.items():
            _need(f"policies.{policy_name}.pair", policy.pair, self.pairs, "pair")
            for strategy in policy.strategies:
                _need(f"policies.{policy_name}.strategies", strategy, self.strategies, "strategy")
        return self

    @property
    def uses_local_llms(self) -> bool:
        """No backend is configured, so `pointsman up` brings its own."""
        return not self.backends


def _need(where: str, name: str, known: Mapping[str, object], kind: str) -> None:
    if name not in known:
        raise ValueError(f"{where}: no {kind} is named {name!r}; there are: {', '.join(sorted(known))}")


def with_local_llms(settings: Settings) -> Settings:
    """The settings with the two local LLMs as backends, where no backend is configured."""
    if not settings.uses_local_llms:
        return settings
    local = settings.local_llm
    backends = {
        tier: BackendSettings(base_url=f"http://127.0.0.1:{port}/v1", model=f"smollm2-135m-instruct-{tier}")
        for tier, port in (("strong", local.strong_port), ("weak", local.weak_port))
    }
    return settings.model_copy(update={"backends": backends})
