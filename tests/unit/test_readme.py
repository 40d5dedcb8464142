"""What README lists is what there is: its tree, the strategies, the ports."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from pointsman.runtime.settings import Settings
from scorers.registry import ROUTERS
from tests.documents.markdown import folders, tracked

_README: Final = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def _tree() -> list[str]:
    """Lines of it, each with what it says of a folder."""
    tree = re.search(r"## The tree\n\n```text\n(.*?)```", _README, re.DOTALL)
    assert tree
    return tree[1].splitlines()


def test_the_tree_names_every_folder() -> None:
    """And none that isn't there."""
    named = [line.split("/")[0] for line in _tree() if not line.startswith(" ")]
    assert len(named) == len(set(named))
    assert set(named) == {path.split("/")[0] for path in tracked() if "/" in path and not path.startswith(".")}


def test_the_folders_below_are_there() -> None:
    """Those that the tree names, each below its own."""
    below, above = [], ""
    for line in _tree():
        name = line.strip().split("/")[0]
        if line.startswith("  "):
            below.append(f"{above}/{name}")
        else:
            above = name
    assert below
    assert [folder for folder in below if folder not in folders()] == []


def test_the_tree_names_every_kind_of_tests() -> None:
    """And none that isn't there; what stands in brackets explains."""
    [line] = [line for line in _tree() if line.startswith("tests/")]
    listed = re.sub(r"\(.*?\)", "", line.removeprefix("tests/"))
    named = [each.split()[0].rstrip(":") for each in re.split("[,;]", listed)]
    assert sorted(named) == sorted({path.split("/")[1] for path in tracked() if re.match("tests/[^/]+/", path)})


def test_the_table_of_strategies_is_the_registrys() -> None:
    """One row each, and all run by default."""
    section = re.search(r"^## Strategies\n(.*?)^## ", _README, re.DOTALL | re.MULTILINE)
    assert section
    assert sorted(re.findall(r"^\| `(\w+)` \|", section[1], re.MULTILINE)) == sorted(ROUTERS) == sorted(Settings().strategies)


def test_the_ports_are_the_settings_defaults() -> None:
    """In the order of the sentence that names them."""
    sentence = re.search(r"^Ports: (.*?)\.", _README, re.DOTALL | re.MULTILINE)
    assert sentence
    gateway, controller, scorers, local = (getattr(Settings(), part) for part in ("gateway", "controller", "scorers", "local_llm"))
    assert [int(port) for port in re.findall(r"\b\d{4,5}\b", sentence[1])] == [
        gateway.rest_port,
        gateway.grpc_port,
        controller.grpc_port,
        controller.metrics_port,
        local.strong_port,
        local.weak_port,
        scorers.grpc_port,
        scorers.http_port,
    ]


def test_the_addresses_in_examples_are_of_those_ports() -> None:
    """http://localhost:6060 and 127.0.0.1:50051, wherever README has them."""
    gateway = Settings().gateway
    assert set(re.findall(r"localhost:(\d+)", _README)) == {str(gateway.rest_port)}
    assert set(re.findall(r"127\.0\.0\.1:(\d+)", _README)) == {str(gateway.grpc_port)}
