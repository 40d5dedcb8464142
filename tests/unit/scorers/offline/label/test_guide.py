"""docs/labelling.md: its settings load and its commands have options that there are."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from pointsman.runtime.settings import Settings
from scorers.offline.label.arguments import parse

_GUIDE = (Path(__file__).parents[5] / "docs/labelling.md").read_text()


def test_its_settings_have_a_judge() -> None:
    """With prices, so that a limit can be kept."""
    found = re.search(r"```yaml\n(.*?)```", _GUIDE, re.DOTALL)
    assert found
    settings = Settings.model_validate(yaml.safe_load(found[1]))
    assert settings.pairs["judge"].strong == "judge"
    assert all(backend.prices for backend in settings.backends.values())


def test_its_command_and_options_are_there() -> None:
    """As the command reads them."""
    found = re.search(r"^pointsman label (.*)$", _GUIDE, re.MULTILINE)
    assert found
    options = vars(parse(found[1].split()))
    assert options["sample"] == 200
    named = {name.replace("-", "_") for name in re.findall(r"`--([a-z-]+)", _GUIDE)}
    assert named <= options.keys()
