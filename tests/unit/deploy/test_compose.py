"""docker-compose.yml: what it names exists, nothing in it is privileged, unlimited or open that needn't be."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pointsman.runtime.healthcheck import SERVICES
from pointsman.runtime.settings import Settings
from pointsman.runtime.settings_file import load_settings

_ROOT = Path(__file__).parents[3]
_FILE = _ROOT / "docker-compose.yml"
_EXAMPLE = (_ROOT / "deploy/compose/example.env").read_text()
_DOCKERFILE = (_ROOT / "deploy/images/Dockerfile").read_text()
_STACK: dict[str, Any] = yaml.safe_load(_FILE.read_text())
_ALL: dict[str, Any] = _STACK["services"]
_VARIABLE = re.compile(r"\$\{([A-Z_]+)(?::([-+])([^}]*))?\}")
each_service = pytest.mark.parametrize("name", _ALL)


def _environment(name: str, **given: str) -> dict[str, str]:
    """As compose fills it in."""

    def filled(match: re.Match[str]) -> str:
        variable, how, other = match.groups()
        value = given.get(variable, "")
        return (value or other or "") if how == "-" else (other if value else "") if how == "+" else value

    return {key: _VARIABLE.sub(filled, str(value)) for key, value in _ALL[name].get("environment", {}).items()}


def _settings(monkeypatch: pytest.MonkeyPatch, name: str, **given: str) -> Settings:
    """Those that a service has in its container."""
    for key, value in _environment(name, **given).items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("POINTSMAN_SETTINGS", str(_ROOT / "deploy/compose/settings.yaml"))
    return load_settings()


@each_service
def test_a_container_has_no_privilege_and_a_limit(name: str) -> None:
    """And comes back by itself, but for the one that ends."""
    service = _ALL[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == ("no" if name == "tokens" else "unless-stopped")
    assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory"}
    assert not {"privileged", "cap_add", "network_mode", "pid", "ipc", "devices"} & service.keys()
    assert service["logging"]["options"]


@each_service
def test_an_image_is_of_one_version_and_each_of_ours_is_built_from_its_target(name: str) -> None:
    """None is `latest`."""
    image = _ALL[name]["image"]
    assert re.search(r":(v?\d+\.\d+\.\d+|\$\{POINTSMAN_VERSION:-\d+\.\d+\.\d+\})$", image)
    if image.startswith("pointsman-"):
        target = _ALL[name]["build"]["target"]
        assert image.startswith(f"pointsman-{target}:")
        assert re.search(rf"^FROM \S+ AS {target}$", _DOCKERFILE, re.MULTILINE)


def test_only_the_gateway_and_the_dashboards_are_published_and_to_this_machine_alone() -> None:
    """Unless .env says otherwise."""
    published = {name: service["ports"] for name, service in _ALL.items() if "ports" in service}
    assert published.keys() == {"gateway", "prometheus", "grafana"}
    for ports in published.values():
        for port in ports:
            assert port.startswith(("127.0.0.1:", "${POINTSMAN_ADDRESS:-127.0.0.1}:"))
    assert [name for name, service in _ALL.items() if "edge" in service["networks"]] == ["gateway"]
    assert {name for name, service in _ALL.items() if "dashboards" in service["networks"]} == {"prometheus", "grafana"}
    assert _STACK["networks"]["inside"] == {"internal": True}
    assert {name for name, service in _ALL.items() if "outward" in service["networks"]} == {"controller", "otel-collector"}
    assert all("inside" in service["networks"] for service in _ALL.values())


@each_service
def test_what_serves_has_a_health_check_of_a_service_that_there_is(name: str) -> None:
    """Its own, or its image's; the collector's image has no program to ask with."""
    own = _ALL[name].get("healthcheck")
    if own is None:
        target = _ALL[name].get("build", {}).get("target", "").removesuffix("-cuda")
        stages = dict(re.findall(r"^FROM run AS (\S+)\n(.*?)(?=^FROM|\Z)", _DOCKERFILE, re.MULTILINE | re.DOTALL))
        assert name == "otel-collector" or "HEALTHCHECK" in stages[target]
    elif "pointsman.runtime.healthcheck" in own.get("test", []):
        assert own["test"][-1] in SERVICES


def test_who_depends_on_whom_is_there_and_in_the_same_profiles() -> None:
    """A service of no profile can't wait for one of a profile."""
    for service in _ALL.values():
        for other in service.get("depends_on", {}):
            assert set(_ALL[other].get("profiles", [])) <= set(service.get("profiles", []))


def test_the_settings_name_services_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """And their ports."""
    settings = _settings(monkeypatch, "controller")
    names = {*_ALL, *(alias for service in _ALL.values() if isinstance(service["networks"], dict) for alias in _aliases(service))}
    cluster = settings.scorers.cluster
    assert cluster is not None
    addresses = [*settings.gateway.controllers, settings.controller.scorers, cluster.head]
    assert {address.split(":")[0] for address in addresses} <= names
    assert {address.split(":")[1] for address in addresses} == {
        str(settings.controller.grpc_port),
        str(settings.scorers.grpc_port),
        "6379",
    }
    urls = [settings.gateway.redis_url or "", *(backend.base_url for backend in settings.backends.values())]
    assert {url.split("://")[1].split(":")[0] for url in urls} <= names
    assert settings.strategies.keys() == {"mf", "sw_ranking", "bert", "causal_llm", "random"}
    assert settings.gateway.host == settings.controller.host == "0.0.0.0"


def test_tokens_are_written_to_where_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the one that may write there, all others only read."""
    settings = _settings(monkeypatch, "gateway")
    assert settings.scorers.cluster
    read = {settings.gateway.controller_token_file, settings.controller.token_file, settings.scorers.cluster.token_file}
    assert {str(path) for path in read} == set(_ALL["tokens"]["command"])
    writers = [name for name, service in _ALL.items() if "secrets:/var/lib/pointsman/secrets" in service.get("volumes", [])]
    assert writers == ["tokens"]


def test_without_env_the_backends_are_the_local_llms_and_no_key_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """No span is made."""
    settings = _settings(monkeypatch, "controller")
    assert {name: (backend.base_url, backend.key_env) for name, backend in settings.backends.items()} == {
        "strong": (f"http://llm-strong:{settings.local_llm.strong_port}/v1", None),
        "weak": (f"http://llm-weak:{settings.local_llm.weak_port}/v1", None),
    }
    assert settings.tracing.otlp_endpoint is None


def test_env_brings_ones_own_backends_and_a_gpus_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each in its service."""
    given = {"STRONG_BASE_URL": "https://api.example.com/v1", "STRONG_MODEL": "big", "STRONG_API_KEY": "canary"}
    backend = _settings(monkeypatch, "controller", **given).backends["strong"]
    assert (backend.base_url, backend.model, backend.key_env) == ("https://api.example.com/v1", "big", "STRONG_API_KEY")
    strategies = _settings(monkeypatch, "ray-worker-gpu", GPU_SHARE="0.3").strategies
    assert {name: each.num_gpus for name, each in strategies.items()} == {
        "mf": 0,
        "sw_ranking": 0.3,
        "bert": 0.3,
        "causal_llm": 0.3,
        "random": 0,
    }
    assert not [key for key, value in _environment("gateway", **given).items() if "canary" in value]


def test_the_example_names_every_variable_that_there_is() -> None:
    """And no other."""
    used = {match[0] for match in _VARIABLE.findall(_FILE.read_text())}
    assert set(re.findall(r"^#([A-Z_]+)=", _EXAMPLE, re.MULTILINE)) == used | {"COMPOSE_PROFILES"}


def test_files_that_are_mounted_are_in_the_checkout() -> None:
    """A missing one would become an empty folder."""
    for service in _ALL.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (_ROOT / source).exists() if source.startswith(".") else source in _STACK["volumes"]


def _aliases(service: dict[str, Any]) -> list[str]:
    return [alias for network in service["networks"].values() for alias in (network or {}).get("aliases", [])]
