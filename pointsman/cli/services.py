"""The children of `pointsman up`: which processes the settings ask for, and how each is asked whether it is ready."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pointsman
from pointsman.cli.children import ChildSpec
from pointsman.cli.scale import Scale, controllers, gateways
from pointsman.runtime.probes import controller_ready, gateway_ready, local_llm_ready, scorers_ready
from pointsman.runtime.settings import Settings

_FOLDERS: Final = ("gateway", "controller", "scorers", "deploy")
_AFTER_DRAIN_S: Final = 5.0  # a service's own drain, then its sockets
_SCORERS_GRACE_S: Final = 40.0  # Serve drains its replicas, then Ray stops


class NoCheckout(Exception):
    """The services aren't beside the installed package."""


def checkout_root() -> Path:
    """The folder that holds `pointsman` and the services. Raises `NoCheckout`."""
    root = Path(pointsman.__file__).resolve().parent.parent
    if missing := [folder for folder in _FOLDERS if not (root / folder / "__init__.py").is_file()]:
        raise NoCheckout(
            f"the services aren't installed with the command: no folder {', '.join(missing)} beside {root / 'pointsman'}; "
            "run this from a checkout of Pointsman (make run), or use its images"
        )
    return root


def child_specs(settings: Settings, settings_file: Path | None, scale: Scale | None = None) -> list[ChildSpec]:
    """The children in the order of their start; they stop in the reverse order. Raises `SettingsError` for files of TLS."""
    scale = scale or Scale()
    gateway, controller = settings.gateway, settings.controller
    decide = controllers(settings, scale)
    return [
        *_local_llms(settings, settings_file),
        ChildSpec(
            "scorers",
            _command("scorers", settings_file),
            scorers_ready(settings),
            stop_grace_s=_SCORERS_GRACE_S,
            reloads=True,
        ),
        *(
            ChildSpec(
                each.name,
                _command("controller", settings_file),
                controller_ready(settings, each.own_port),
                stop_grace_s=controller.drain_s + _AFTER_DRAIN_S,
                changes=each.changes,
                reloads=True,
            )
            for each in decide
        ),
        *(
            ChildSpec(
                each.name,
                _command("gateway", settings_file),
                gateway_ready(settings, each.own_port),
                after=[controller.name for controller in decide],
                stop_grace_s=gateway.drain_s + _AFTER_DRAIN_S,
                changes=each.changes,
                reloads=True,
            )
            for each in gateways(settings, scale)
        ),
    ]


def _local_llms(settings: Settings, settings_file: Path | None) -> list[ChildSpec]:
    if not settings.uses_local_llms:
        return []
    local = settings.local_llm
    return [
        ChildSpec(
            f"local-llm-{tier}",
            [*_command("deploy.local_llm", settings_file), "--name", tier],
            local_llm_ready(port),
            stop_grace_s=_AFTER_DRAIN_S,
        )
        for tier, port in (("strong", local.strong_port), ("weak", local.weak_port))
    ]


def _command(module: str, settings_file: Path | None) -> Sequence[str]:
    settings = ["--settings", str(settings_file)] if settings_file else []
    return [sys.executable, "-u", "-m", module, *settings]
