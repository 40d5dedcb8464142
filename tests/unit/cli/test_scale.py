"""What `pointsman up --gateways N --controllers N` makes of the settings, before anything starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pointsman.cli.announcement import announcement
from pointsman.cli.ports import contradictions, ports
from pointsman.cli.scale import Scale, controller_addresses, unscalable
from pointsman.cli.services import child_specs
from pointsman.runtime.settings import Settings
from pointsman.runtime.settings_file import environment_over, load_settings

TWO = Scale(gateways=2, controllers=2)


def _settings(**parts: Any) -> Settings:
    return Settings.model_validate({"backends": {name: {"base_url": "http://x/v1", "model": "m"} for name in ("strong", "weak")}, **parts})


def _as_started(settings: Settings, name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings that the child of that name reads."""
    file = folder / "settings.yaml"
    file.write_text(yaml.safe_dump(settings.model_dump(mode="json", exclude_defaults=True)))
    [spec] = [spec for spec in child_specs(settings, file, TWO) if spec.name == name]
    with monkeypatch.context() as patched:
        for key, value in environment_over(spec.changes).items():
            patched.setenv(key, value)
        return load_settings(file)


def test_each_of_several_is_a_process_of_its_own_name_and_gateways_wait_for_all_controllers() -> None:
    """One of each is called as ever."""
    specs = child_specs(_settings(), None, TWO)
    assert [spec.name for spec in specs] == ["scorers", "controller-1", "controller-2", "gateway-1", "gateway-2"]
    assert specs[-1].after == ["controller-1", "controller-2"]
    assert all(spec.reloads for spec in specs)
    assert [spec.changes for spec in child_specs(_settings(), None)] == [{}, {}, {}]


def test_controllers_have_ports_and_a_decision_log_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first those of the settings, the others some above; all else is the file's."""
    settings = _settings(controller={"decision_log": {"path": "/var/log/decisions.jsonl", "keep": 9}, "drain_s": 3})
    first, second = (_as_started(settings, f"controller-{number}", tmp_path, monkeypatch).controller for number in (1, 2))
    assert (first.grpc_port, first.metrics_port, first.decision_log) == (50052, 50053, settings.controller.decision_log)
    assert (second.grpc_port, second.metrics_port) == (50054, 50055)
    assert second.decision_log.path == Path("/var/log/decisions-2.jsonl")
    assert (second.decision_log.keep, second.drain_s) == (9, 3)


def test_gateways_share_their_ports_know_every_controller_and_have_one_port_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that callers know one port, and operators find each process."""
    first, second = (_as_started(_settings(), f"gateway-{number}", tmp_path, monkeypatch).gateway for number in (1, 2))
    for each, own_port in ((first, 6061), (second, 6062)):
        assert (each.rest_port, each.grpc_port, each.shared_ports, each.own_port) == (6060, 50051, True, own_port)
        assert each.controllers == ["127.0.0.1:50052", "127.0.0.1:50054"]
    begun = _settings(gateway={"own_port": 7000})
    assert _as_started(begun, "gateway-2", tmp_path, monkeypatch).gateway.own_port == 7001


def test_controllers_that_the_settings_name_already_arent_named_twice() -> None:
    """Whether they are among those that start or elsewhere."""
    listed = ["10.0.0.9:50052", "127.0.0.1:50054"]
    assert controller_addresses(_settings(gateway={"controllers": listed}), TWO) == ["10.0.0.9:50052", "127.0.0.1:50054", "10.0.0.9:50054"]
    listed = ["127.0.0.1:50052", "127.0.0.1:50054"]
    assert controller_addresses(_settings(gateway={"controllers": listed}), TWO) == listed


def test_the_environment_of_a_process_overrules_what_it_inherits(monkeypatch: pytest.MonkeyPatch) -> None:
    """In whatever letters that was written."""
    monkeypatch.setenv("pointsman_controller__grpc_port", "1")
    monkeypatch.setenv("POINTSMAN_GATEWAY__REST_PORT", "7070")
    environment = environment_over({"controller.grpc_port": 50054})
    assert "pointsman_controller__grpc_port" not in environment
    assert environment["POINTSMAN_CONTROLLER__GRPC_PORT"] == "50054"
    assert environment["POINTSMAN_GATEWAY__REST_PORT"] == "7070"


def test_every_port_is_looked_at_and_one_that_collides_is_named_with_its_key() -> None:
    """Eleven gateways reach the local LLMs' ports."""
    assert {use.port for use in ports(_settings(), TWO)} == {6060, 50051, 6061, 6062, 50052, 50053, 50054, 50055, 9000}
    assert contradictions(Settings(), TWO) == []
    said = contradictions(Settings(), Scale(gateways=12))
    tiers = (("strong", 11), ("weak", 12))
    assert said == [f"local_llm.{tier}_port: port {6060 + above} is also gateway.rest_port + {above}" for tier, above in tiers]
    assert contradictions(_settings(controller={"metrics_port": 50054}), TWO) == [
        "controller.grpc_port + 2: port 50054 is also controller.metrics_port"
    ]
    own = {"grpc_port": 65534, "metrics_port": 60000}
    said = contradictions(_settings(controller=own, gateway={"controllers": ["127.0.0.1:65534"]}), TWO)
    assert said == ["controller.grpc_port + 2: there is no port 65536"]


def test_several_controllers_want_ip_addresses_and_one_name_in_their_certificates(tmp_path: Path) -> None:
    """As the gateway itself would say, once it starts."""
    settings = _settings(gateway={"controllers": ["localhost:50052"], "controller_tls": {}})
    said = list(unscalable(settings, TWO, tmp_path))
    assert [each.partition(":")[0] for each in said] == ["gateway.controllers", "gateway.controller_tls.server_name"]
    assert not list(unscalable(settings, Scale(gateways=2), tmp_path))


def test_gateways_that_would_each_allow_the_whole_limit_arent_started(tmp_path: Path) -> None:
    """A key with limits needs a Redis that counts for all; one without needs none, and one gateway counts by itself."""
    entry = {"name": "bot", "sha256": "0" * 64}
    (tmp_path / "keys.yaml").write_text(yaml.safe_dump({"keys": [{**entry, "tokens_per_minute": 5}]}))
    settings = _settings(gateway={"keys_file": "keys.yaml"})
    [said] = unscalable(settings, TWO, tmp_path)
    assert said.startswith("gateway.redis_url: 2 gateways that share no Redis would allow bot each limit of the keys file 2 times")
    assert not list(unscalable(settings, Scale(controllers=2), tmp_path))
    assert not list(unscalable(_settings(gateway={"keys_file": "keys.yaml", "redis_url": "redis://x"}), TWO, tmp_path))
    (tmp_path / "keys.yaml").write_text(yaml.safe_dump({"keys": [entry]}))
    assert not list(unscalable(settings, TWO, tmp_path))


def test_the_announcement_says_where_each_is() -> None:
    """And nothing of it where there is one of each."""
    said = announcement(_settings(gateway={"keys_file": "keys.yaml"}), 1, TWO)
    for shown in (
        "REST    http://127.0.0.1:6060/v1",
        "shared by 2 gateways",
        "gateway-2  127.0.0.1:6062",
        "controller-2  127.0.0.1:50054, http://127.0.0.1:50055/metrics",
        "counted by each gateway, whole, until gateway.redis_url names a Redis",
    ):
        assert shown in said
    assert "gateway-1" not in announcement(_settings(), 1)
