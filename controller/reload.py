"""What of a changed settings file the controller takes over while it runs, and what waits for its next start."""

from __future__ import annotations

from typing import Final

from pydantic import ValidationError

from controller.backend_headers import check_keys
from pointsman.runtime.reloading import PROCESS, Change, changed_keys, with_values
from pointsman.runtime.settings import Settings
from pointsman.runtime.settings_file import SettingsError

LIVE: Final = ("pairs", "policies", "backends")
LIVE_OWN: Final = (
    "scorer_timeout_s",
    "scorer_deadline_share",
    "on_overload",
    "scored_window",
    "max_scored_chars",
    "on_uncertified",
    "drift_limit",
    "scorer_failure_to_strong_cap",
    "on_scorer_failure_cap",
    "allow_backend_names",
    "default_timeout_s",
    "max_response_bytes",
)
"""Of `controller`."""
LIVE_OF_A_STRATEGY: Final = ("on_failure",)
"""The rest of a strategy is the scorers', who read their settings again by themselves."""


def taken_over(running: Settings, file: Settings) -> tuple[Settings, Change]:
    """The running settings with what may change of the file's, and which keys those were.

    Raises `SettingsError` where the two don't go together, and where a backend's key is missing.
    """
    strategies = {
        name: with_values(each, file.strategies[name], LIVE_OF_A_STRATEGY) if name in file.strategies else each
        for name, each in running.strategies.items()
    }
    parts = {
        **{name: getattr(running, name) for name in Settings.model_fields},
        **{name: getattr(file, name) for name in LIVE},
        "controller": with_values(running.controller, file.controller, LIVE_OWN),
        "strategies": strategies,
    }
    try:
        settings = Settings.model_validate(parts)
    except ValidationError as error:
        wrong = "; ".join(str(each["msg"]).removeprefix("Value error, ") for each in error.errors())
        raise SettingsError(f"{wrong} (of those that run: a new one needs a restart of the controller)") from None
    check_keys(settings.backends)
    return settings, Change(list(changed_keys(running, settings)), _need_restart(settings, file))


def _need_restart(settings: Settings, file: Settings) -> list[str]:
    """Keys that concern the controller; a strategy's own concern it where the strategy comes or goes."""
    own = (*PROCESS, "controller.", "records_dir")
    there = {f"strategies.{name}" for name in settings.strategies.keys() ^ file.strategies.keys()}
    return [key for key in changed_keys(settings, file) if key.startswith(own) or key in there]
