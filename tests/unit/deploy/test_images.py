"""The images: what they install is what the checkout installs, and each target is a service that there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pointsman.runtime.healthcheck import SERVICES

_ROOT = Path(__file__).parents[3]
_LOCKS = sorted((_ROOT / "requirements/images").glob("*.txt"))
_DOCKERFILE = (_ROOT / "deploy/images/Dockerfile").read_text()
_PIN = re.compile(r"^([A-Za-z0-9_.-]+)(?:\[[a-z,]+\])?==(\S+)", re.MULTILINE)


def _pins(text: str) -> dict[str, str]:
    return {name.lower().replace("_", "-"): version for name, version in _PIN.findall(text)}


@pytest.mark.parametrize("lock", _LOCKS, ids=lambda path: path.stem)
def test_an_image_installs_the_pinned_versions_and_each_by_its_hash(lock: Path) -> None:
    """As `make lock-images` writes them."""
    constraints = _pins((_ROOT / "requirements/constraints.txt").read_text())
    pins = _pins(lock.read_text())
    assert pins
    assert {name: version for name, version in pins.items() if constraints.get(name, version) != version} == {}
    requirements = lock.read_text().replace("\\\n", "").splitlines()
    assert [line for line in requirements if line and not line.startswith("#") and "--hash=sha256:" not in line] == []


@pytest.mark.parametrize("image", ["gateway", "controller"])
def test_the_edge_and_the_decision_are_installed_without_torch_and_ray(image: str) -> None:
    """And without what only callers and developers use."""
    pins = _pins((_ROOT / f"requirements/images/{image}.txt").read_text())
    assert pins.keys().isdisjoint({"torch", "ray", "transformers", "numpy", "typer", "pytest", "pandas"})


def test_every_final_image_runs_a_module_that_there_is_as_nobody_and_without_a_shell() -> None:
    """Their user is a number; entry points and health checks are lists."""
    stages = dict(re.findall(r"^FROM run AS (\S+)\n(.*?)(?=^FROM|\Z)", _DOCKERFILE, re.MULTILINE | re.DOTALL))
    assert set(stages) == {"gateway", "controller", "scorers", "local-llm"}
    modules = {name: re.search(r'^ENTRYPOINT \["python", "-m", "([a-z_.]+)"\]$', text, re.MULTILINE) for name, text in stages.items()}
    for name, module in modules.items():
        assert module, name
        path = _ROOT / module[1].replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists()
    run = re.search(r"^FROM \S+ AS run\n(.*?)^FROM", _DOCKERFILE, re.MULTILINE | re.DOTALL)
    assert run
    assert re.search(r"^USER \d+:\d+$", run[1], re.MULTILINE)
    users = {name: re.findall(r"^USER (\S+)$", text, re.MULTILINE) for name, text in stages.items()}
    assert {name: each[-1] for name, each in users.items() if each} == {"local-llm": "65532:65532"}  # a package of Debian's was installed


def test_every_health_check_asks_a_service_that_there_is() -> None:
    """By the name that the program knows it by."""
    asked = re.findall(r'CMD \["python", "-m", "pointsman\.runtime\.healthcheck", "([a-z-]+)"\]', _DOCKERFILE)
    assert set(asked) == {"gateway", "controller", "scorers"}
    assert set(asked) <= set(SERVICES)


def test_only_sources_go_to_the_builder() -> None:
    """No repository, no environment, no test, no record."""
    lines = (_ROOT / ".dockerignore").read_text().splitlines()
    assert lines[1] == "*"
    let_in = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert let_in == {"pointsman", "gateway", "controller", "scorers", "deploy", "requirements", "LICENSE", "NOTICE"}
    copied = {
        source.split("/")[0] for line in re.findall(r"^COPY (?!--from)(.+)$", _DOCKERFILE, re.MULTILINE) for source in line.split()[:-1]
    }
    assert copied <= let_in
