"""What of a changed settings file is taken over while the controller runs."""

from __future__ import annotations

from typing import Any

import pytest

from controller.reload import LIVE, LIVE_OF_A_STRATEGY, LIVE_OWN, taken_over
from pointsman.runtime.controller_settings import ControllerSettings
from pointsman.runtime.settings import Settings, StrategySettings
from pointsman.runtime.settings_file import SettingsError

BACKENDS = {name: {"base_url": "http://x/v1", "model": name} for name in ("strong", "weak")}


def _settings(**parts: Any) -> Settings:
    return Settings.model_validate({"backends": BACKENDS, "strategies": {"mf": {}, "random": {}}, **parts})


def test_pairs_policies_backends_on_failure_and_limits_are_taken_over() -> None:
    """By their keys, and nothing else is touched."""
    file = _settings(
        backends={**BACKENDS, "weak": {**BACKENDS["weak"], "prices": {"prompt_per_million": 1, "completion_per_million": 2}}},
        pairs={"default": {"strong": "strong", "weak": "weak"}, "other": {"strong": "weak", "weak": "weak"}},
        policies={"cheap": {"strategies": ["mf"], "threshold": 0.9}},
        strategies={"mf": {"on_failure": "weak", "threads": 3}, "random": {}},
        controller={"max_response_bytes": 4096},
    )
    settings, change = taken_over(_settings(), file)
    assert change.in_force == [
        "controller.max_response_bytes",
        "strategies.mf.on_failure",
        "backends.weak.prices",
        "pairs.other",
        "policies.cheap",
    ]
    assert change.need_restart == [], "a strategy's threads are the scorers'"
    assert (settings.strategies["mf"].on_failure, settings.strategies["mf"].threads) == ("weak", 1)


def test_what_waits_for_the_next_start_is_named_and_stays_as_it_was() -> None:
    """Ports, queues, folders, and strategies that come or go. What concerns other services isn't told."""
    file = _settings(
        controller={"grpc_port": 7000, "max_waiting": 5, "drift_window": 60},
        gateway={"rest_port": 7001},
        records_dir="elsewhere",
        log={"level": "debug"},
        strategies={"mf": {}, "bert": {}},
    )
    running = _settings()
    settings, change = taken_over(running, file)
    assert change.in_force == []
    assert change.need_restart == [
        "log.level",
        "controller.grpc_port",
        "controller.max_waiting",
        "controller.drift_window",
        "strategies.bert",
        "strategies.random",
        "records_dir",
    ]
    assert settings == running


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (
            {"strategies": {"bert": {}}, "policies": {"new": {"strategies": ["bert"], "threshold": 0.5}}},
            "no strategy is named 'bert'; there are: mf, random .*needs a restart",
        ),
        ({"backends": {**BACKENDS, "weak": {**BACKENDS["weak"], "key_env": "NO_SUCH_KEY"}}}, "NO_SUCH_KEY"),
    ],
)
def test_a_file_that_does_not_go_with_what_runs_is_refused(parts: dict[str, Any], said: str) -> None:
    """With the reason."""
    with pytest.raises(SettingsError, match=said):
        taken_over(_settings(), _settings(**parts))


def test_every_key_that_is_live_is_one_of_the_schema() -> None:
    """A renamed key would be lost in silence."""
    assert set(LIVE) <= set(Settings.model_fields)
    assert set(LIVE_OWN) <= set(ControllerSettings.model_fields)
    assert set(LIVE_OF_A_STRATEGY) <= set(StrategySettings.model_fields)
