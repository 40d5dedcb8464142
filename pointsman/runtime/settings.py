"""The one settings schema. Each service reads its own part of the one YAML file; `settings_file.py` loads it.

Everything has a default that is safe, so an empty file runs: two local LLMs, no key, loopback only.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from pointsman.runtime.backend_settings import BackendSettings, PairSettings
from pointsman.runtime.controller_settings import ControllerSettings
from pointsman.runtime.gateway_settings import GatewaySettings
from pointsman.runtime.scheduling import Scheduling
from pointsman.runtime.scorers_settings import GroupName, ScorersSettings
from pointsman.runtime.settings_part import Fraction, Name, OnFailure, Part, Port, StrategyName
from pointsman.runtime.tracing import TracingSettings


class LogSettings(Part):
    """How a process logs. Prompts, completions and keys never reach a log."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"
    """auto: console on a terminal, JSON elsewhere."""


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
    target_busy: Annotated[float, Field(gt=0, lt=1)] = 0.7
    """The share of time that a replica's model is to run, counted in full batches: scaling keeps to it."""
    upscale_delay_s: Annotated[float, Field(ge=0)] = 3
    """Replicas are added once more have been needed for so long."""
    downscale_delay_s: Annotated[float, Field(ge=0)] = 600
    """And taken away once fewer have been for so long."""
    worker_group: GroupName | None = None
    """Of scorers.worker_groups, where its replicas run in Kubernetes; null is the first one with GPUs where num_gpus is above 0,
    else the first without."""
    num_cpus: Annotated[float, Field(ge=0)] = 0.5
    num_gpus: Annotated[float, Field(ge=0)] = 0
    threads: Annotated[int, Field(ge=1)] = 1
    """Threads of one replica's model on the CPU."""
    nice: Annotated[int, Field(ge=0, le=19)] | None = None
    """How far they give way to whatever else wants the cores; null is 0 for causal_llm, the slowest, and 7 for the others."""

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

    host: str = "127.0.0.1"
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
    tracing: TracingSettings = TracingSettings()
    scheduling: Scheduling = "batch"
    """How the kernel schedules the services."""
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
