"""What `pointsman up` makes of the settings, before anything starts."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from pointsman.cli.announcement import announcement
from pointsman.cli.children import Backoff, Pace
from pointsman.cli.ports import contradictions, ports
from pointsman.cli.services import checkout_root, child_specs
from pointsman.runtime.addresses import reachable
from pointsman.runtime.settings import Settings

REAL_BACKENDS: dict[str, Any] = {
    "backends": {
        "strong": {"base_url": "https://big.example/v1", "model": "big"},
        "weak": {"base_url": "https://small.example/v1", "model": "small"},
    }
}


def test_the_default_settings_contradict_nothing() -> None:
    """An empty file runs."""
    assert contradictions(Settings()) == []


def test_each_contradiction_names_its_key() -> None:
    """Ports that collide or are 0, and services that would look for one another in the wrong place."""
    said = contradictions(
        Settings.model_validate(
            {
                "gateway": {"rest_port": 0, "grpc_port": 9001},
                "controller": {"grpc_port": 7000, "scorers": "127.0.0.1:9000"},
                "scorers": {"grpc_port": 9001},
            }
        )
    )
    assert [sentence.partition(":")[0] for sentence in said] == [
        "gateway.rest_port",
        "scorers.grpc_port",
        "gateway.controllers",
        "controller.scorers",
    ]
    assert "also gateway.grpc_port" in said[1]


def test_local_llms_run_only_where_no_backend_is_configured() -> None:
    """Their ports aren't needed either."""
    assert [spec.name for spec in child_specs(Settings(), None)] == [
        "local-llm-strong",
        "local-llm-weak",
        "scorers",
        "controller",
        "gateway",
    ]
    real = Settings.model_validate(REAL_BACKENDS)
    assert [spec.name for spec in child_specs(real, None)] == ["scorers", "controller", "gateway"]
    assert not any(use.key.startswith("local_llm") for use in ports(real))


def test_every_child_reads_the_same_settings_file() -> None:
    """By the same argument, and without one where there is no file."""
    assert all(spec.argv[-2:] == ["--settings", "/x.yaml"] for spec in child_specs(Settings.model_validate(REAL_BACKENDS), Path("/x.yaml")))
    assert not any("--settings" in spec.argv for spec in child_specs(Settings(), None))


def test_a_service_has_its_whole_drain_before_it_is_killed() -> None:
    """The supervisor's patience is longer than the services' own."""
    specs = {spec.name: spec for spec in child_specs(Settings.model_validate({"gateway": {"drain_s": 100}}), None)}
    assert specs["gateway"].stop_grace_s > 100
    assert specs["controller"].stop_grace_s > Settings().controller.drain_s


def test_the_checkout_is_where_the_services_are() -> None:
    """The package is installed from it, editable."""
    assert (checkout_root() / "gateway" / "__init__.py").is_file()


def test_the_announced_curl_line_is_one_shell_command_with_a_valid_body() -> None:
    """It is on one line, quoted, and asks a strategy that is configured."""
    text = announcement(Settings.model_validate({"strategies": {"random": {}}, "gateway": {"host": "0.0.0.0"}}), 12.34)
    [line] = [line for line in text.splitlines() if "curl " in line]
    command = shlex.split(line)
    assert command[:3] == ["curl", "-si", "http://127.0.0.1:6060/v1/chat/completions"]
    body = json.loads(command[command.index("-d") + 1])
    assert body["model"] == "router-random-0.5"
    assert body["messages"][0]["role"] == "user"


def test_the_announcement_says_what_is_small_and_what_is_open() -> None:
    """One model behind both tiers, until the settings name others; and a port without TLS or identity."""
    text = announcement(Settings(), 1)
    assert "Both tiers are the same small model" in text
    assert "no TLS and no identity" in text
    assert "every replica's own port binds all interfaces" in text
    assert "port 9000 binds all interfaces" in announcement(Settings.model_validate({"scorers": {"haproxy": False}}), 1)
    assert "same small model" not in announcement(Settings.model_validate(REAL_BACKENDS), 1)


def test_a_wildcard_address_is_reached_by_loopback() -> None:
    """And any other as it is."""
    assert [reachable(host) for host in ("0.0.0.0", "::", "10.0.0.1")] == ["127.0.0.1", "::1", "10.0.0.1"]


def test_the_backoff_doubles_to_its_limit_and_starts_anew_after_a_long_life() -> None:
    """0.5 s to 10 s; thirty seconds of life begin again."""
    backoff = Backoff(Pace())
    assert [backoff.after(lived_s=0) for _ in range(7)] == [0.5, 1, 2, 4, 8, 10, 10]
    assert backoff.after(lived_s=30) == 0.5
    assert backoff.after(lived_s=29) == 1
