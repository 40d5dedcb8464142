"""What needs no service: settings, PromQL, variables, rows of data."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import yaml

from pointsman.runtime.settings import Settings
from tests.documents.blocks import ROOT, Block

_PROMTOOL: Final = Path(sys.prefix) / "bin/promtool"


def check_yaml(block: Block) -> None:
    """A part of a settings file. Raises pydantic's `ValidationError`."""
    part = yaml.safe_load(block.text) or {}
    if "backends" in part:  # which the default pair needs, whatever others a guide shows
        tier = {"base_url": "http://127.0.0.1:9/v1", "model": "any"}
        part = {**part, "backends": {"strong": tier, "weak": tier, **part["backends"]}}
    Settings.model_validate(part)


def check_json(block: Block) -> None:
    """One value a line."""
    for line in block.text.splitlines():
        json.loads(line)


def check_env(block: Block) -> None:
    """Variables of docker-compose.yml."""
    known = set(re.findall(r"^#([A-Z_]+)=", (ROOT / "deploy/compose/example.env").read_text(), re.MULTILINE))
    assert {line.split("=")[0] for line in block.text.splitlines()} <= known


def check_promql(block: Block) -> None:
    """Expressions, each beginning at the left: by promtool, as the expressions of rules; another test knows their metrics."""
    expressions = re.split(r"\n(?! )", block.text.strip())
    rules = [{"alert": f"of_the_guide_{number}", "expr": each} for number, each in enumerate(expressions)]
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump({"groups": [{"name": "guide", "rules": rules}]}, file)
        file.flush()
        done = subprocess.run([_PROMTOOL, "check", "rules", file.name], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def check_text(block: Block) -> None:
    """Drawings and trees: nothing to run."""


CHECKS: Final[Mapping[str, Callable[[Block], None]]] = {
    "yaml": check_yaml,
    "json": check_json,
    "env": check_env,
    "promql": check_promql,
    "text": check_text,
}
